//! Checks of the API port, and of who may register there.

use super::overlap;
use crate::{
    api::{Credential, Groups, HEARTBEAT, Permit, Tls},
    config::{
        AdminConfig, AgiConfig, ApiConfig,
        file::{self, ApiTls, WorkerEntry},
        read::{Field, Reader, Spot},
        reference::FilePath,
    },
};
use std::net::SocketAddr;

pub(super) fn api(
    field: &Field<file::Api>,
    agi: &AgiConfig,
    admin: &AdminConfig,
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
    let tls = written.tls.value.as_ref();
    let asks = tls.is_some_and(|tls| tls.client_ca.present);
    let entries = written.workers.value.iter().flat_map(|list| &list.0);
    let workers = entries.filter_map(|entry| permit(entry, asks, reader)).collect();
    let heartbeat = super::span(&written.heartbeat).unwrap_or(HEARTBEAT);
    ApiConfig { listen, tls: tls.and_then(files), heartbeat, workers }
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

/// `None` when a file is faulty.
fn files(tls: &ApiTls) -> Option<Tls> {
    let file = |field: &Field<FilePath>| field.value.as_ref().map(|file| file.0.clone());
    Some(Tls { cert: file(&tls.cert)?, key: file(&tls.key)?, client_ca: file(&tls.client_ca) })
}

/// `None` when the entry is faulty.
fn permit(entry: &Field<WorkerEntry>, asks: bool, reader: &mut Reader) -> Option<Permit> {
    let written = entry.value.as_ref()?;
    if written.token.present && written.certificate.present {
        reader.fault(
            &entry.spot,
            "`token` and `certificate` exclude each other: make it two entries",
        );
    }
    if written.certificate.present && !asks {
        reader.fault(
            &written.certificate.spot,
            "workers are not asked for certificates: set `api.tls.client_ca`",
        );
    }
    let credential = match (&written.token.value, &written.certificate.value) {
        (Some(token), _) => Credential::Token(token.0.clone()),
        (None, Some(name)) => Credential::Certificate(name.0.as_str().into()),
        // One that is faulty must not open the door to anybody, though the fault keeps the file out anyway.
        (None, None) if written.token.present || written.certificate.present => return None,
        (None, None) => Credential::Anybody,
    };
    let listed = written.groups.value.iter().flat_map(|list| &list.0);
    let groups: Vec<_> = listed.filter_map(|field| field.value.as_ref()).collect();
    let groups = if groups.iter().any(|group| group.0.is_none()) {
        Groups::All
    } else {
        Groups::These(groups.into_iter().filter_map(|it| it.0.as_deref()).map(Into::into).collect())
    };
    Some(Permit { groups, credential })
}
