//! The contract's options of fields and methods.

use prost_reflect::{DescriptorPool, ExtensionDescriptor, FieldDescriptor, MethodDescriptor, Value};

/// Values of `google.api.FieldBehavior`.
const REQUIRED: i32 = 2;
const OUTPUT_ONLY: i32 = 3;
const INPUT_ONLY: i32 = 4;
/// The field of undocumented values, which is always sensitive.
const EXTRA_FIELDS: &str = "extra_fields";

/// Reads the options that the document shows.
#[derive(Debug)]
pub(crate) struct OptionReader {
    behaviour: Option<ExtensionDescriptor>,
    sensitive: Option<ExtensionDescriptor>,
    probe: Option<ExtensionDescriptor>,
}

/// The options of one field.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldOptions {
    /// A request without it is refused.
    pub(crate) required: bool,
    /// Only replies have it.
    pub(crate) output_only: bool,
    /// Only requests have it.
    pub(crate) input_only: bool,
    /// Its value is a secret or may hold one.
    pub(crate) sensitive: bool,
    /// It should no longer be used.
    pub(crate) deprecated: bool,
}

impl OptionReader {
    /// Finds the options' own descriptors.
    pub(crate) fn new(pool: &DescriptorPool) -> Self {
        Self {
            behaviour: pool.get_extension_by_name("google.api.field_behavior"),
            sensitive: pool.get_extension_by_name("ispbridge.type.v1.sensitive"),
            probe: pool.get_extension_by_name("ispbridge.type.v1.probe"),
        }
    }

    /// The RPC that shows whether a write took effect, if one is named.
    pub(crate) fn probe(&self, method: &MethodDescriptor) -> Option<String> {
        let options = method.options();
        let probe = options.get_extension(self.probe.as_ref()?);
        probe.as_str().filter(|probe| !probe.is_empty()).map(str::to_owned)
    }

    /// Reads the options of a field.
    pub(crate) fn of(&self, field: &FieldDescriptor) -> FieldOptions {
        let options = field.options();
        let behaviours = self.behaviour.as_ref().map(|extension| options.get_extension(extension).into_owned());
        let is = |wanted: i32| match &behaviours {
            Some(Value::List(all)) => all.iter().any(|one| one.as_enum_number() == Some(wanted)),
            _ => false,
        };
        let sensitive = self.sensitive.as_ref();
        FieldOptions {
            required: is(REQUIRED),
            output_only: is(OUTPUT_ONLY),
            input_only: is(INPUT_ONLY),
            sensitive: field.name() == EXTRA_FIELDS
                || sensitive.is_some_and(|extension| options.get_extension(extension).as_bool() == Some(true)),
            deprecated: field.field_descriptor_proto().options.as_ref().is_some_and(|options| options.deprecated()),
        }
    }
}
