//! Checks of the admin port, and of who may do what there.

use super::{
    credential::{Means, credential, means, server_tls},
    overlap, word,
};
use crate::{
    access::Credential,
    admin::{Access, Right, Settings},
    config::{
        AdminConfig, AgiConfig,
        file::{self, AccessEntry, JwtIssuer},
        many::OneOrMany,
        read::{Field, Reader, Spot},
    },
};

pub(super) fn admin(
    field: &Field<file::Admin>,
    agi: &AgiConfig,
    jwt: &Field<OneOrMany<JwtIssuer>>,
    reader: &mut Reader,
) -> AdminConfig {
    let admin = field.value.as_ref();
    let written = admin.and_then(|it| it.listen.value.as_ref());
    let standard = AdminConfig::default();
    let listen = written.map_or(standard.listen, |it| it.0);
    let spot: &Spot = admin.map_or(&field.spot, |it| &it.listen.spot);
    if let Some(other) = agi.listen.iter().find(|other| overlap(**other, listen)) {
        reader
            .fault(spot, format!("the admin port `{listen}` is taken by `{other}` of agi.listen"));
    }
    let Some(written) = admin else { return AdminConfig { listen, ..standard } };
    let means = means("admin", &written.tls, jwt);
    let entries = written.access.value.iter().flat_map(|list| &list.0);
    let access: Vec<_> = entries.filter_map(|entry| access(entry, means, reader)).collect();
    let token = written.token.value.as_ref().map(|token| token.0.clone());
    let everybody = word(&written.everybody).map_or(standard.settings.everybody, |open| open.0);
    if everybody < Some(Right::See) && !written.token.present && !written.access.present {
        reader.fault(
            &written.everybody.spot,
            "nobody could see what this closes: set `admin.token` or `admin.access`",
        );
    }
    AdminConfig {
        listen,
        tls: server_tls(&written.tls),
        token,
        settings: Settings { access, everybody },
    }
}

/// `None` when the entry is faulty.
fn access(entry: &Field<AccessEntry>, means: Means, reader: &mut Reader) -> Option<Access> {
    let written = entry.value.as_ref()?;
    let credential = credential(&written.demand, &entry.spot, means, reader)?;
    if credential == Credential::Anybody {
        reader.fault(
            &entry.spot,
            "one of `token`, `certificate` and `jwt` is wanted here; what is open to all stands in `admin.everybody`",
        );
    }
    Some(Access { right: word(&written.may)?, credential })
}
