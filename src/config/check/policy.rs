//! What services may have Asterisk do: the lists of a route, checked against each other.

use crate::{
    agi::{CommandPolicy, Glob, List},
    config::{
        file::{self, PolicyNames},
        many::OneOrMany,
        pattern::{AgiCommand, Pattern},
        read::{Field, Reader},
    },
};

/// `None` when nothing is written.
pub(super) fn commands(
    field: &Field<file::CommandPolicy>,
    reader: &mut Reader,
) -> Option<CommandPolicy> {
    let written = field.value.as_ref()?;
    let (allow, deny) = (written.allow.value.as_ref(), written.deny.value.as_ref());
    let mut names = |of: fn(&PolicyNames) -> &Field<OneOrMany<Pattern>>| {
        list(allow.map(of), deny.map(of), |Pattern(glob)| glob, reader)
    };
    let applications = names(|names| &names.applications);
    let functions = names(|names| &names.functions);
    let variables = names(|names| &names.variables);
    let dial = names(|names| &names.dial);
    let commands = list(
        allow.map(|names| &names.commands),
        deny.map(|names| &names.commands),
        |AgiCommand(glob)| glob,
        reader,
    );
    Some(CommandPolicy { commands, applications, functions, variables, dial })
}

fn list<T>(
    allow: Option<&Field<OneOrMany<T>>>,
    deny: Option<&Field<OneOrMany<T>>>,
    glob: fn(&T) -> &Glob,
    reader: &mut Reader,
) -> List {
    let globs = |fields: &[Field<T>]| -> Vec<Glob> {
        fields.iter().filter_map(|field| field.value.as_ref()).map(|it| glob(it).clone()).collect()
    };
    let list = List { allow: globs(fields(allow)), deny: globs(fields(deny)) };
    for field in fields(deny) {
        let Some(denied) = field.value.as_ref().map(glob) else { continue };
        let covering = list.allow.iter().find(|allow| allow.matches(denied.as_str().as_bytes()));
        if let Some(allow) = covering {
            let what = format!("`{denied}` can never be refused: `{allow}` is allowed, which wins");
            reader.fault(&field.spot, what);
        }
    }
    list
}

fn fields<T>(side: Option<&Field<OneOrMany<T>>>) -> &[Field<T>] {
    side.and_then(|side| side.value.as_ref()).map_or(&[], |listed| &listed.0)
}
