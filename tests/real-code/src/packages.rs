//! Copies of the crates, as members of one workspace.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use toml_edit::{Array, DocumentMut, Item, Table};

use crate::Result;

/// A copy of a crate.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Where the copy is.
    pub(crate) place: PathBuf,
}

/// Copies all that the manifest in `list` depends on, or `only` those, and gives them `spawnsafe` as a dependency.
pub(crate) fn copy(list: &Path, spawnsafe: &Path, place: &Path, only: &BTreeSet<String>) -> Result<Vec<Package>> {
    let manifest: DocumentMut = fs::read_to_string(list.join("Cargo.toml"))?.parse()?;
    let listed = manifest["dependencies"].as_table().ok_or("no dependencies are listed")?;
    let members = place.join("crates");
    if members.exists() {
        fs::remove_dir_all(&members)?;
    }
    let mut packages = Vec::new();
    for (name, version, from) in fetch(list)? {
        let Some(wanted) = listed.get(&name) else { continue };
        let is_listed = wanted.as_str().or_else(|| wanted.get("version")?.as_str()) == Some(&format!("={version}"));
        if is_listed && (only.is_empty() || only.contains(&name)) {
            let copy = members.join(&name);
            copy_folder(&from, &copy)?;
            prepare(&copy.join("Cargo.toml"), wanted, spawnsafe)?;
            packages.push(Package { name, version, place: copy });
        }
    }
    fs::write(place.join("Cargo.toml"), "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"2\"\n")?;
    fs::copy(list.join("Cargo.lock"), place.join("Cargo.lock"))?;
    Ok(packages)
}

/// Name, version and folder of all that the list depends on.
fn fetch(list: &Path) -> Result<Vec<(String, String, PathBuf)>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version=1", "--locked", "--manifest-path"]).arg(list.join("Cargo.toml"));
    let output = cargo.stderr(std::process::Stdio::inherit()).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("cargo has no packages")?.iter();
    let packages = packages.filter_map(|package| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        let text = |key| package[key].as_str().map(str::to_owned);
        Some((text("name")?, text("version")?, manifest.parent()?.to_owned()))
    });
    Ok(packages.collect())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &to.join(entry.file_name()))?,
            false => drop(fs::copy(entry.path(), to.join(entry.file_name()))?),
        }
    }
    Ok(())
}

/// A library, with the features that are wanted, and `spawnsafe`.
fn prepare(path: &Path, wanted: &Item, spawnsafe: &Path) -> Result<()> {
    let mut manifest: DocumentMut = fs::read_to_string(path)?.parse()?;
    // Not those for tests, of which there may be many: only a feature may name one.
    let only_for_tests: Vec<String> = keys(manifest.get("dev-dependencies"));
    let needed = [keys(manifest.get("dependencies")), keys(manifest.get("build-dependencies"))].concat();
    for section in ["dev-dependencies", "bench", "test", "example", "bin", "workspace"] {
        manifest.remove(section);
    }
    for (_, target) in manifest.get_mut("target").and_then(Item::as_table_mut).into_iter().flat_map(Table::iter_mut) {
        target.as_table_like_mut().map(|target| target.remove("dev-dependencies"));
    }
    let is_gone = |feature: &str| {
        let (dependency, _) = feature.split_once('/').unwrap_or_default();
        only_for_tests.iter().any(|name| name == dependency) && !needed.iter().any(|name| name == dependency)
    };
    for (_, list) in manifest.get_mut("features").and_then(Item::as_table_mut).into_iter().flat_map(Table::iter_mut) {
        if let Some(list) = list.as_array_mut() {
            list.retain(|feature| !feature.as_str().is_some_and(is_gone));
        }
    }
    // The crate itself is there as well, as a dependency of others.
    manifest["package"].as_table_mut().map(|package| package.remove("links"));
    let features = manifest.entry("features").or_insert(Item::Table(Table::new()));
    let mut default = match wanted.get("default-features").and_then(Item::as_bool) {
        Some(false) => Array::new(),
        _ => features.get("default").and_then(Item::as_array).cloned().unwrap_or_default(),
    };
    let more = wanted.get("features").and_then(Item::as_array).cloned().unwrap_or_default();
    default.extend(more.iter().filter_map(|feature| feature.as_str()).map(str::to_owned));
    features["default"] = toml_edit::value(default);
    let spawnsafe = spawnsafe.to_str().ok_or("the path is not UTF-8")?;
    manifest["dependencies"]["spawnsafe"]["path"] = toml_edit::value(spawnsafe);
    Ok(fs::write(path, manifest.to_string())?)
}

fn keys(table: Option<&Item>) -> Vec<String> {
    let table = table.and_then(Item::as_table_like).into_iter();
    table.flat_map(|table| table.iter().map(|(key, _)| key.to_owned()).collect::<Vec<_>>()).collect()
}
