//! Debug info that lies beside the file: an object for each unit (`unpacked`), or one package of all (`packed`).

use super::data::Data;
use super::units::{Reader, Sections, Skeleton};
use gimli::{DebugCuIndex, EndianSlice};
use object::{Object, ObjectSection};

/// How many objects are looked for.
const OBJECTS: usize = 4096;

/// A file that holds debug info of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Companion {
    /// All of it, in the file's name with `.dwp` after it.
    Package,
    /// That of one unit.
    Object {
        /// The folder that `name` is relative to.
        directory: String,
        /// The file.
        name: String,
    },
}

/// Gives the bytes of a companion, if there is one.
pub type Companions<'c> = dyn Fn(&Companion) -> Option<Vec<u8>> + 'c;

/// The bytes of all companions of a file.
pub(crate) struct Beside {
    package: Option<Vec<u8>>,
    /// Each with the place of its skeleton.
    objects: Vec<(usize, Vec<u8>)>,
}

/// Companions, taken apart.
#[derive(Default)]
pub(crate) struct Opened<'b> {
    /// Each with the place of its skeleton.
    objects: Vec<(usize, Data<'b>)>,
    package: Option<(Data<'b>, Vec<u8>)>,
}

impl Beside {
    pub(crate) fn find(skeletons: &[Skeleton], companions: &Companions<'_>) -> Self {
        if skeletons.is_empty() {
            return Self { package: None, objects: Vec::new() };
        }
        let package = companions(&Companion::Package);
        let mut objects = Vec::new();
        if package.is_none() {
            for (at, skeleton) in skeletons.iter().take(OBJECTS).enumerate() {
                let Skeleton { directory, name, .. } = skeleton;
                let object = Companion::Object { directory: directory.clone(), name: name.clone() };
                objects.extend(companions(&object).map(|bytes| (at, bytes)));
            }
        }
        Self { package, objects }
    }

    pub(crate) fn open(&self) -> Result<Opened<'_>, String> {
        let damaged = |error: object::Error| format!("debug info beside the file cannot be read: {error}");
        let mut opened = Opened::default();
        for (at, bytes) in &self.objects {
            let file = object::File::parse(bytes.as_slice()).map_err(damaged)?;
            opened.objects.push((*at, Data::split(&file)?));
        }
        if let Some(bytes) = &self.package {
            let file = object::File::parse(bytes.as_slice()).map_err(damaged)?;
            let index = file.section_by_name(".debug_cu_index").ok_or("the package of debug info has no index")?;
            opened.package = Some((Data::split(&file)?, index.data().map_err(damaged)?.to_vec()));
        }
        Ok(opened)
    }
}

impl Opened<'_> {
    /// What each skeleton stands for.
    pub(crate) fn units(&self, skeletons: &[Skeleton]) -> Result<Vec<(usize, Data<'_>)>, String> {
        let damaged = |error: gimli::Error| format!("the package of debug info cannot be read: {error}");
        let mut units: Vec<(usize, Data<'_>)> =
            self.objects.iter().filter_map(|(at, data)| Some((*at, data.unit(&[])?))).collect();
        if let Some((data, index)) = &self.package {
            let index = DebugCuIndex::from(EndianSlice::new(index, data.endian())).index().map_err(damaged)?;
            for (at, skeleton) in skeletons.iter().enumerate() {
                let Some(row) = index.find(skeleton.id) else { continue };
                let mut parts = Vec::new();
                for part in index.sections(row).map_err(damaged)? {
                    let from = usize::try_from(part.offset).unwrap_or(usize::MAX);
                    let size = usize::try_from(part.size).unwrap_or(usize::MAX);
                    parts.push((part.section.section_id(), from..from.saturating_add(size)));
                }
                units.extend(data.unit(&parts).map(|data| (at, data)));
            }
        }
        Ok(units)
    }
}

/// Adds to a reader what lies beside its file.
pub(crate) fn add<'a>(
    reader: &mut Reader<'a>,
    skeletons: &[Skeleton],
    units: &'a [(usize, Data<'_>)],
) -> gimli::Result<()> {
    for (at, data) in units {
        if let (Some(sections), Some(skeleton)) = (Sections::of(data), skeletons.get(*at)) {
            reader.add_beside(sections, skeleton)?;
        }
    }
    Ok(())
}
