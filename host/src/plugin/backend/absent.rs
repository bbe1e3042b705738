//! Stands in for a mechanism that the program was built without.

use super::{Backend, Candidate, Instance, Proven};
use crate::plugin::spec::Spec;
use pitstop_contract::{Reason, Rule};
use pitstop_proof::Proof;
use pitstop_reloadable::PluginError;

/// A mechanism that is a feature of this name, which is off.
pub(crate) struct Absent(pub(crate) &'static str);

impl Absent {
    fn why(&self) -> String {
        let feature = self.0;
        format!(
            "this program was built without it; write `pitstop-host = {{ features = [\"{feature}\"], .. }}` in Cargo.toml"
        )
    }
}

impl Backend for Absent {
    fn accepts(&self, _spec: &Spec) -> Result<(), (&'static str, String)> {
        Err(("mechanism", self.why()))
    }

    fn prove(&self, candidate: &Candidate) -> Result<Proof, Vec<Reason>> {
        let expected = format!("a program with the feature `{}` of pitstop-host", self.0);
        Err(vec![Reason::new(Rule::Load, &candidate.spec.name, expected, "one without it", self.why())])
    }

    fn open(&self, _proven: &Proven) -> Result<Box<dyn Instance>, PluginError> {
        Err(PluginError::failed(self.why()))
    }
}
