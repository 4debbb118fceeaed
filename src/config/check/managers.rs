//! Checks of the Asterisks whose managers the bridge logs in to.

use super::routes::tls_files;
use crate::{
    ami::{Action, Server},
    config::{
        file::{File, Manager},
        read::{Reader, Spot},
        value::{Name, Text},
    },
    route::{Remote, Tls},
};

pub(super) fn managers(file: &File, reader: &mut Reader) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    let entries = file.managers.value.iter().flat_map(|list| &list.0);
    for written in entries.filter_map(|entry| entry.value.as_ref()) {
        let Some(server) = server(written, reader) else { continue };
        if servers.iter().any(|other| other.name == server.name) {
            let name = &server.name;
            reader.fault(&written.name.spot, format!("`{name}` is the name of another entry"));
        }
        servers.push(server);
    }
    servers
}

/// `None` when a part is faulty.
fn server(written: &Manager, reader: &mut Reader) -> Option<Server> {
    let tls = written.tls.present.then(|| {
        let files = written.tls.value.as_ref();
        files.map_or_else(Tls::default, |files| tls_files(files, reader))
    });
    let Text(username) = written.username.value.as_ref()?;
    let secret = &written.secret.value.as_ref()?.0;
    fits("Username", username, &written.username.spot, reader);
    fits("Secret", secret.expose(), &written.secret.spot, reader);
    let Name(name) = written.name.value.as_ref()?;
    let address = &written.address.value.as_ref()?.0;
    Some(Server {
        name: name.as_str().into(),
        remote: Remote { host: address.host.clone(), port: address.port, tls },
        username: username.clone(),
        secret: secret.clone(),
        plain_login: written.plain_login.value.as_ref().is_some_and(|it| it.0),
        async_agi: written.async_agi.value.as_ref().is_some_and(|it| it.0),
    })
}

/// What no login could carry is told now, and not once the link cannot be made.
fn fits(header: &str, value: &str, spot: &Spot, reader: &mut Reader) {
    if let Err(error) = Action::new("Ping").and_then(|action| action.header(header, value)) {
        reader.fault(spot, error.to_string());
    }
}
