//! The workspace's crates: what can be reloaded, what looks as if it could, and what takes long.

use super::finding::Finding;
use crate::cargo::{Wanted, Workspace, directory_of, is_ours, may_be_marked};
use crate::run::rust_files;
use cargo_metadata::{DependencyKind, Package, PackageId, TargetKind};
use std::collections::BTreeSet;

/// From here on rustc reads and checks for seconds, whatever the edit.
const MANY_LINES: usize = 20_000;

const HOST: &str = "pitstop-host";
const RELOADABLE: &str = "pitstop-reloadable";

pub(super) fn look(workspace: &Workspace, wanted: &Wanted) -> Vec<Finding> {
    let reached = reached(workspace, wanted);
    let name = &wanted.package;
    let mut findings = Vec::new();
    if !reached.iter().any(|id| workspace.metadata[id].name == HOST) {
        let found = format!("does not depend on {HOST}, so nothing takes new code in");
        let remedy = format!("cargo add {HOST} -p {name}, and call `pitstop_host::attach()` and `safe_point()` in it");
        findings.push(Finding::error("no-host", format!("program {name}"), found, remedy));
    }
    let real = workspace.real();
    let is_tool = |package: &Package| {
        real.contains(directory_of(package)) || package.targets.iter().any(cargo_metadata::Target::is_proc_macro)
    };
    let members = workspace.members();
    let marked = members.iter().copied().filter(|package| workspace.uses_attribute(directory_of(package)));
    let (tools, marked): (Vec<&Package>, Vec<&Package>) = marked.partition(|package| is_tool(package));
    findings.extend(tools.iter().map(|package| {
        Finding::warning(
            "built-by-cargo",
            subject(package),
            "is used by a build script or a procedural macro, so cargo compiles it and its edits are not reloaded",
            "move what is to be reloaded into a crate that only the program uses",
        )
    }));
    let (linked, unlinked): (Vec<&Package>, Vec<&Package>) =
        marked.into_iter().partition(|package| reached.contains(&package.id));
    findings.push(reloadable(workspace, name, &linked, &unlinked));
    findings.extend(members.iter().filter_map(|package| renamed(package)));
    findings.extend(outside(workspace, &reached));
    findings.extend(versions(workspace));
    findings.extend(linked.iter().filter_map(|package| large(package)));
    findings
}

fn subject(package: &Package) -> String {
    format!("crate {}", package.name)
}

fn list<'a>(packages: impl IntoIterator<Item = &'a Package>) -> String {
    packages.into_iter().map(|package| package.name.to_string()).collect::<Vec<_>>().join(", ")
}

/// All that the program is linked with.
fn reached(workspace: &Workspace, wanted: &Wanted) -> BTreeSet<PackageId> {
    let mut reached = BTreeSet::new();
    let Some(resolve) = &workspace.metadata.resolve else { return reached };
    let program = workspace.members().into_iter().find(|package| directory_of(package) == wanted.manifest_directory);
    let Some(program) = program else { return reached };
    let mut queue = vec![program.id.clone()];
    while let Some(id) = queue.pop() {
        // An example has more to use.
        let is_used =
            |kind| kind == DependencyKind::Normal || (kind == DependencyKind::Development && id == program.id);
        let node = resolve.nodes.iter().find(|node| node.id == id);
        if reached.insert(id.clone()) {
            let used = node.into_iter().flat_map(|node| &node.deps);
            let used = used.filter(|dependency| dependency.dep_kinds.iter().any(|kind| is_used(kind.kind)));
            queue.extend(used.map(|dependency| dependency.pkg.clone()));
        }
    }
    reached
}

/// Dynamic libraries, which a program can ask for by name.
pub(super) fn libraries(workspace: &Workspace) -> Vec<&Package> {
    let is_dynamic = |kind: &TargetKind| matches!(kind, TargetKind::CDyLib | TargetKind::DyLib);
    let mut members = workspace.members();
    members.retain(|package| package.targets.iter().any(|target| target.kind.iter().any(is_dynamic)));
    members
}

/// What a session would reload.
fn reloadable(workspace: &Workspace, program: &str, linked: &[&Package], unlinked: &[&Package]) -> Finding {
    let libraries: Vec<&Package> =
        libraries(workspace).into_iter().filter(|package| !linked.iter().any(|other| other.id == package.id)).collect();
    let subject = format!("program {program}");
    if linked.is_empty() && libraries.is_empty() {
        return match unlinked.first() {
            Some(crate_) => Finding::error(
                "nothing-reloadable",
                subject,
                format!("does not depend on {}, which could be reloaded", list(unlinked.iter().copied())),
                format!("cargo add {} -p {program}, and call its functions", crate_.name),
            ),
            None => Finding::error(
                "nothing-reloadable",
                subject,
                format!("no library of the workspace depends on {RELOADABLE}, and none is a cdylib or dylib"),
                format!("put what is to change into a library, `cargo add {RELOADABLE}` there, and mark its functions"),
            ),
        };
    }
    let mut parts = Vec::new();
    if !linked.is_empty() {
        parts.push(format!("reloads {}", list(linked.iter().copied())));
    }
    if !libraries.is_empty() {
        parts.push(format!("can ask for {} by name", list(libraries)));
    }
    Finding::ok("program", subject, parts.join("; "))
}

fn renamed(package: &Package) -> Option<Finding> {
    let dependency = package.dependencies.iter().find(|dependency| dependency.name == RELOADABLE)?;
    let name = dependency.rename.as_ref()?;
    Some(Finding::error(
        "renamed",
        subject(package),
        format!(
            "depends on {RELOADABLE} under the name `{name}`, and `#[reloadable]` expands to paths of its own name"
        ),
        format!("write `{RELOADABLE} = ...` without `package` in its Cargo.toml"),
    ))
}

/// Crates that were meant to be reloaded, but that Pitstop does not compile.
fn outside(workspace: &Workspace, reached: &BTreeSet<PackageId>) -> Vec<Finding> {
    let packages = workspace.metadata.packages.iter().filter(|package| {
        reached.contains(&package.id)
            && !workspace.metadata.workspace_members.contains(&package.id)
            && !is_ours(package)
            && may_be_marked(package)
    });
    packages
        .map(|package| {
            let found = "is no member of the workspace, so its edits are not reloaded";
            let folder = directory_of(package).display();
            let remedy = format!("add {folder} to `members` of [workspace]");
            Finding::warning("outside-workspace", subject(package), found, remedy)
        })
        .collect()
}

fn versions(workspace: &Workspace) -> Vec<Finding> {
    let ours = env!("CARGO_PKG_VERSION");
    let mut findings = Vec::new();
    for name in [HOST, RELOADABLE] {
        let packages = workspace.metadata.packages.iter().filter(|package| package.name == name);
        let mut versions: Vec<String> = packages.map(|package| package.version.to_string()).collect();
        versions.sort();
        if versions.len() > 1 {
            findings.push(Finding::error(
                "two-copies",
                name,
                format!("is in the program {} times: {}", versions.len(), versions.join(", ")),
                format!("name the same {name} in each Cargo.toml; `cargo tree -i {name}` shows who names which"),
            ));
        }
        versions.dedup();
        findings.extend(versions.iter().filter(|version| *version != ours).map(|version| {
            Finding::warning(
                "other-version",
                name,
                format!("is {version}, but the command is {ours}"),
                format!("set {name} = \"{ours}\", or install the command of version {version}"),
            )
        }));
    }
    findings
}

fn large(package: &Package) -> Option<Finding> {
    let files = rust_files(vec![directory_of(package).join("src")]);
    let lines: usize = files.iter().filter_map(|file| Some(std::fs::read_to_string(file).ok()?.lines().count())).sum();
    (lines > MANY_LINES).then(|| {
        Finding::warning(
            "large-crate",
            subject(package),
            format!("has {lines} lines, all of which rustc checks at every edit"),
            "move what rarely changes into a crate that this one depends on",
        )
    })
}
