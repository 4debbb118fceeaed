//! The JSON Schema of the file, made from the declarations in `file`, and the proof that both say the same.

use super::{file::File, read::Read};
use serde_json::Value;
use std::{fs, path::PathBuf};

fn schema() -> Value {
    let mut schema = File::schema();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "agi-bridge configuration".into();
    schema
}

fn at_root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

mod tests {
    use super::*;
    use crate::config::{Config, Faults, load, parse};
    use std::{collections::BTreeSet, ffi::OsString, path::Path};

    /// Set, it lets the tests write what they compare.
    const UPDATE: &str = "UPDATE_EXPECTED";

    fn expect_same(file: &Path, text: &str) {
        if std::env::var_os(UPDATE).is_some() {
            fs::write(file, text).unwrap();
        }
        let kept = fs::read_to_string(file).unwrap_or_default();
        assert_eq!(
            kept,
            text,
            "{} is not up to date: run this test with {UPDATE}=1",
            file.display()
        );
    }

    fn yaml_files(folder: &str) -> Vec<PathBuf> {
        let found = fs::read_dir(at_root(folder)).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<_> =
            found.filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect();
        found.sort();
        found
    }

    /// The variables of a fixture stand beside it, one a line.
    fn variables(fixture: &Path) -> Vec<(OsString, OsString)> {
        let text = fs::read_to_string(fixture.with_extension("env")).unwrap_or_default();
        let pair =
            |line: &str| line.split_once('=').map(|(name, value)| (name.into(), value.into()));
        text.lines().filter_map(pair).collect()
    }

    fn load_fixture(fixture: &Path) -> Result<Config, Faults> {
        load(Some(fixture), variables(fixture).into_iter()).map(|loaded| loaded.config)
    }

    /// What an editor with the schema would say; `None` where the text is no document to ask about.
    fn schema_accepts(text: &str) -> Option<bool> {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        Some(validator.is_valid(&serde_saphyr::from_str::<Value>(text).ok()?))
    }

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        expect_same(&at_root("docs/agi-bridge.schema.json"), &text);
    }

    #[test]
    fn valid_files_load_and_fit_the_schema() {
        let files = yaml_files("tests/config/valid");
        assert!(files.len() > 3);
        for file in files {
            let config = load_fixture(&file)
                .unwrap_or_else(|faults| panic!("{}:\n{faults}", file.display()));
            assert_eq!(
                schema_accepts(&fs::read_to_string(&file).unwrap()),
                Some(true),
                "{}",
                file.display()
            );

            let effective = config.effective_yaml();
            assert_eq!(schema_accepts(&effective), Some(true), "{effective}");
            let again = parse(Some(&effective), Path::new(""), std::iter::empty())
                .unwrap_or_else(|faults| panic!("{faults}\n{effective}"));
            assert_eq!(again.effective_yaml(), effective);
        }
    }

    /// Each invalid file begins with `# schema: rejects`, or `accepts` where the fault is beyond a schema, or `-` where it is no YAML.
    #[test]
    fn invalid_files_are_refused_with_every_fault() {
        let files = yaml_files("tests/config/invalid");
        assert!(files.len() > 20);
        for file in files {
            let faults =
                load_fixture(&file).err().unwrap_or_else(|| panic!("{} loads", file.display()));
            let folder = format!("{}/", file.parent().unwrap().display());
            expect_same(
                &file.with_extension("txt"),
                &(faults.to_string().replace(&folder, "") + "\n"),
            );

            let text = fs::read_to_string(&file).unwrap();
            let wanted = text.lines().next().and_then(|line| line.strip_prefix("# schema: "));
            let found =
                schema_accepts(&text).map(|accepts| if accepts { "accepts" } else { "rejects" });
            assert!(
                wanted.is_some() || text.is_empty(),
                "{} says nothing of the schema",
                file.display()
            );
            if wanted.is_some_and(|wanted| wanted != "-") {
                assert_eq!(wanted, found, "{}", file.display());
            }
        }
    }

    #[test]
    fn the_example_documents_every_key_at_its_default() {
        let example = at_root("agi-bridge.example.yaml");
        let text = fs::read_to_string(&example).unwrap();
        // Keys without a default are shown in comments, and must be right too.
        let uncommented: String = text
            .lines()
            .map(|line| match line.split_once("#: ") {
                Some((indent, rest)) => format!("{indent}{rest}\n"),
                None => format!("{line}\n"),
            })
            .collect();
        let folder = at_root("tests/config/valid");
        let none = || std::iter::empty();
        let config =
            parse(Some(&text), &folder, none()).unwrap_or_else(|faults| panic!("{faults}"));
        let full =
            parse(Some(&uncommented), &folder, none()).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(full.routes.names().len(), 2, "{uncommented}");

        let routes = text.find("\nroutes:").unwrap();
        let least = parse(Some(&text[routes..]), &folder, none()).unwrap();
        assert_eq!(
            config.effective_yaml(),
            least.effective_yaml(),
            "the example shows the defaults"
        );

        let (mut known, mut shown) = (BTreeSet::new(), BTreeSet::new());
        keys_of_schema(&schema(), "", &mut known);
        keys_of(&serde_saphyr::from_str(&uncommented).unwrap(), "", &mut shown);
        let shown: BTreeSet<String> = shown.iter().map(|path| once(path, &known)).collect();
        let known: BTreeSet<String> = known.iter().map(|path| once(path, &known)).collect();
        let missing: Vec<_> = known.difference(&shown).collect();
        assert!(missing.is_empty(), "not in the example: {missing:?}");
    }

    /// What may stand in `defaults` and on a route need be shown only once.
    fn once(path: &str, known: &BTreeSet<String>) -> String {
        let default = path.replacen(".routes.", ".defaults.", 1);
        if known.contains(&default) { default } else { path.to_owned() }
    }

    fn keys_of_schema(schema: &Value, path: &str, keys: &mut BTreeSet<String>) {
        for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            keys_of_schema(inner, &path, keys);
            keys_of_schema(&inner["items"], &path, keys);
            keys.insert(path);
        }
    }

    fn keys_of(value: &Value, path: &str, keys: &mut BTreeSet<String>) {
        value.as_array().into_iter().flatten().for_each(|entry| keys_of(entry, path, keys));
        for (key, inner) in value.as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            keys_of(inner, &path, keys);
            keys.insert(path);
        }
    }
}
