//! The sources of one release, from the package registry.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The crates that say something to a client.
const CRATES: [&str; 9] = [
    "spacetimedb-auth",
    "spacetimedb-client-api-messages",
    "spacetimedb-core",
    "spacetimedb-expr",
    "spacetimedb-lib",
    "spacetimedb-primitives",
    "spacetimedb-sats",
    "spacetimedb-schema",
    "spacetimedb-sql-parser",
];

/// A release: where the sources of its crates lie.
pub(crate) struct Release {
    folders: BTreeMap<String, PathBuf>,
}

impl Release {
    /// Has cargo download the crates of a version. Crates that the release lacks are said and left out.
    pub(crate) fn fetch(version: &str) -> anyhow::Result<Self> {
        let mut folders = BTreeMap::new();
        for name in CRATES {
            match source(name, version)? {
                Some(folder) => drop(folders.insert(name.to_owned(), folder)),
                None => eprintln!("release {version} has no crate {name}"),
            }
        }
        if folders.is_empty() {
            bail!("no crate of the server has a release {version}");
        }
        Ok(Self { folders })
    }

    /// The Rust files of a crate, none if there is no such crate, whose paths below `src` begin with a prefix, with those paths.
    pub(crate) fn files(&self, krate: &str, prefix: &str) -> anyhow::Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        let Some(folder) = self.folders.get(krate) else { return Ok(found) };
        collect(folder, folder, prefix, &mut found)?;
        found.sort();
        Ok(found)
    }
}

/// The sources of a crate; none if it has no such version.
fn source(name: &str, version: &str) -> anyhow::Result<Option<PathBuf>> {
    let project = tempfile::tempdir()?;
    let manifest = project.path().join("Cargo.toml");
    fs::create_dir(project.path().join("src"))?;
    fs::write(project.path().join("src/lib.rs"), "")?;
    let package =
        "[package]\nname = \"release\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]";
    fs::write(&manifest, format!("{package}\n[dependencies]\n{name} = \"={version}\"\n"))?;
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--quiet", "--manifest-path"])
        .arg(&manifest)
        .output()
        .context("cargo does not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("failed to select a version") || said.contains("no matching package") {
        return Ok(None);
    }
    if !output.status.success() {
        bail!("cargo cannot fetch {name} {version}: {said}");
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("metadata without packages")?;
    let package = packages.iter().find(|package| package["name"] == name);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    Ok(folder.map(|folder| folder.join("src")))
}

fn collect(
    root: &Path,
    folder: &Path,
    prefix: &str,
    found: &mut Vec<(String, String)>,
) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, prefix, found)?;
            continue;
        }
        let name = path.strip_prefix(root)?.display().to_string();
        if name.starts_with(prefix) && name.ends_with(".rs") {
            found.push((name, fs::read_to_string(&path)?));
        }
    }
    Ok(())
}
