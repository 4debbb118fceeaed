//! Checks of the API port, and of who may register there.

use super::{
    credential::{Means, credential, means, server_tls},
    overlap,
};
use crate::{
    api::{Groups, HEARTBEAT, Permit},
    config::{
        AdminConfig, AgiConfig, ApiConfig,
        file::{self, JwtIssuer, WorkerEntry},
        many::OneOrMany,
        read::{Field, Reader, Spot},
    },
};
use std::net::SocketAddr;

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
        && (written.tls.present || written.workers.present || written.heartbeat.present)
    {
        reader.fault(&written.listen.spot, "without this key nothing listens for workers");
    }
    let means = means("api", &written.tls, jwt);
    let entries = written.workers.value.iter().flat_map(|list| &list.0);
    let workers = entries.filter_map(|entry| permit(entry, means, reader)).collect();
    let heartbeat = super::span(&written.heartbeat).unwrap_or(HEARTBEAT);
    ApiConfig { listen, tls: server_tls(&written.tls), heartbeat, workers }
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
