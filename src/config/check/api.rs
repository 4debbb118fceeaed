//! Checks of the API port, and of who may register there.

use super::{
    credential::{Means, credential, means, server_tls},
    overlap,
};
use crate::{
    access::Credential,
    api::{Groups, HEARTBEAT, Permit},
    config::{
        AdminConfig, AgiConfig, ApiConfig,
        file::{self, ClientEntry, ClientOriginate, JwtIssuer, SignedUrls, WorkerEntry},
        many::OneOrMany,
        read::{Field, Reader, Spot},
        value::{Number, Text},
    },
    manage::{Client, Clients, Globs, Grant, OriginateGrant, Quotas},
    secret::Secret,
};
use std::{net::SocketAddr, sync::Arc};

/// Of what URLs are signed with, in characters.
const SIGNING_SECRET_MIN: usize = 16;

pub(super) fn api(
    field: &Field<file::Api>,
    agi: &AgiConfig,
    admin: &AdminConfig,
    jwt: &Field<OneOrMany<JwtIssuer>>,
    reader: &mut Reader,
) -> ApiConfig {
    let Some(written) = &field.value else { return ApiConfig::default() };
    let listen = written.listen.value.as_ref().map(|it| it.0);
    if let Some(listen) = listen {
        own_port(listen, &written.listen.spot, agi, admin, reader);
    } else if !written.listen.present
        && (written.tls.present
            || written.workers.present
            || written.clients.present
            || written.heartbeat.present)
    {
        reader.fault(
            &written.listen.spot,
            "without this key nothing listens for workers and clients",
        );
    }
    let means = means("api", &written.tls, jwt);
    let entries = written.workers.value.iter().flat_map(|list| &list.0);
    let workers = entries.filter_map(|entry| permit(entry, means, reader)).collect();
    let clients = clients(written, means, reader);
    let heartbeat = super::span(&written.heartbeat).unwrap_or(HEARTBEAT);
    ApiConfig { listen, tls: server_tls(&written.tls), heartbeat, workers, clients }
}

/// No worker can ever be offered a call for `group`.
pub(super) fn unreachable(api: &ApiConfig, group: &str) -> Option<String> {
    if api.listen.is_none() {
        return Some("workers cannot dial in: set `api.listen`, and `api.workers`".into());
    }
    let permitted = api.workers.iter().any(|permit| permit.groups.has(group));
    (!permitted).then(|| {
        format!("no worker may register for `{group}`: an entry of `api.workers` must permit it")
    })
}

fn own_port(
    listen: SocketAddr,
    spot: &Spot,
    agi: &AgiConfig,
    admin: &AdminConfig,
    reader: &mut Reader,
) {
    if let Some(other) = agi.listen.iter().find(|other| overlap(**other, listen)) {
        reader.fault(spot, format!("the api port `{listen}` is taken by `{other}` of agi.listen"));
    }
    if overlap(admin.listen, listen) {
        let other = admin.listen;
        reader
            .fault(spot, format!("the api port `{listen}` is taken by `{other}` of admin.listen"));
    }
}

/// `None` when the entry is faulty.
fn permit(entry: &Field<WorkerEntry>, means: Means, reader: &mut Reader) -> Option<Permit> {
    let written = entry.value.as_ref()?;
    let credential = credential(&written.demand, &entry.spot, means, reader)?;
    let listed = written.groups.value.iter().flat_map(|list| &list.0);
    let groups: Vec<_> = listed.filter_map(|field| field.value.as_ref()).collect();
    let groups = if groups.iter().any(|group| group.0.is_none()) {
        Groups::All
    } else {
        Groups::These(groups.into_iter().filter_map(|it| it.0.as_deref()).map(Into::into).collect())
    };
    Some(Permit { groups, credential })
}

fn clients(written: &file::Api, means: Means, reader: &mut Reader) -> Clients {
    let mut clients = Clients::new();
    for entry in written.clients.value.iter().flat_map(|list| &list.0) {
        let Some(client) = client(entry, means, reader) else { continue };
        if clients.iter().any(|other| other.name == client.name) {
            let name = &client.name;
            reader.fault(&entry.spot, format!("`{name}` is the name of another entry"));
        }
        clients.push(Arc::new(client));
    }
    clients
}

/// `None` when the entry is faulty.
fn client(entry: &Field<ClientEntry>, means: Means, reader: &mut Reader) -> Option<Client> {
    let written = entry.value.as_ref()?;
    let credential = credential(&written.demand, &entry.spot, means, reader)?;
    if credential == Credential::Anybody {
        reader.fault(
            &entry.spot,
            "a client needs a credential: without one anybody could start calls",
        );
    }
    let originate = written.originate.value.as_ref();
    let of_originate = |list: fn(&ClientOriginate) -> &Field<OneOrMany<Text>>| {
        originate.map(|it| globs(list(it))).unwrap_or_default()
    };
    let standard = Quotas::default();
    let servers =
        if written.servers.present { globs(&written.servers) } else { Globs::from_iter(["*"]) };
    Some(Client {
        name: written.name.value.as_ref()?.0.as_str().into(),
        credential,
        signed_urls: signed_urls(&written.signed_urls, reader),
        grant: Grant {
            servers,
            actions: globs(&written.actions),
            events: globs(&written.events),
            originate: OriginateGrant {
                channels: of_originate(|it| &it.channels),
                contexts: of_originate(|it| &it.contexts),
                routes: of_originate(|it| &it.routes),
                applications: of_originate(|it| &it.applications),
                functions: of_originate(|it| &it.functions),
            },
        },
        quotas: Quotas {
            rate: written.rate.value.as_ref().map_or(standard.rate, Number::to_u32),
            running: written.running.value.as_ref().map_or(standard.running, Number::to_u32),
            watches: written.watches.value.as_ref().map_or(standard.watches, Number::to_u32),
        },
    })
}

fn signed_urls(field: &Field<SignedUrls>, reader: &mut Reader) -> Option<Secret> {
    let secret = &field.value.as_ref()?.secret;
    let text = &secret.value.as_ref()?.0;
    if text.expose().len() < SIGNING_SECRET_MIN {
        reader.fault(
            &secret.spot,
            format!(
                "{SIGNING_SECRET_MIN} characters or more are wanted: whoever sees a URL can try out secrets"
            ),
        );
    }
    Some(text.clone())
}

fn globs(field: &Field<OneOrMany<Text>>) -> Globs {
    let listed = field.value.iter().flat_map(|list| &list.0);
    listed.filter_map(|field| field.value.as_ref()).map(|text| text.0.as_str()).collect()
}
