//! Messages for people's eyes: JSON with the sensitive fields blackened.
//!
//! The option `(ispbridge.type.v1.sensitive)` is read from the descriptor set itself, because prost_types would drop it.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use prost_reflect::{
    DescriptorError, DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, MethodDescriptor,
    ReflectMessage, Value,
};
use serde_json::{Map, Value as Json};

const SENSITIVE: &str = "ispbridge.type.v1.sensitive";
const EXTRA_FIELDS: &str = "extra_fields";
const BLACK: &str = "REDACTED";

/// Why a message cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// There is no such message.
    #[error("there is no message {0}")]
    UnknownMessage(String),
    /// The bytes are not such a message.
    #[error("the bytes are no {0}")]
    Undecodable(String),
}

/// Knows the messages of a program, as far as they are known at the time.
pub trait Describe: fmt::Debug + Send + Sync {
    /// What reads the messages of `package.Service/Method`; nothing if they are not known.
    fn redactor(&self, method: &str) -> Option<Arc<Redactor>>;
}

/// Descriptor sets that are read when they are needed first.
#[derive(Debug)]
pub struct Described {
    sets: Vec<&'static [u8]>,
    redactor: OnceLock<Option<Arc<Redactor>>>,
}

/// Shows messages of one pool of descriptors.
#[derive(Clone, Debug)]
pub struct Redactor {
    pool: DescriptorPool,
    sensitive: Option<ExtensionDescriptor>,
}

impl Redactor {
    /// Shows messages of a pool that was decoded from bytes, and so has kept the options of ours.
    #[must_use]
    pub fn new(pool: DescriptorPool) -> Self {
        let sensitive = pool.all_extensions().find(|extension| extension.full_name() == SENSITIVE);
        Self { pool, sensitive }
    }

    /// Shows the request of `package.Service/Method`.
    ///
    /// # Errors
    /// As [`Self::json`]; the message has the method's name if there is no such method.
    pub fn request(&self, method: &str, bytes: &[u8]) -> Result<Json, RedactError> {
        self.json(self.method(method)?.input().full_name(), bytes)
    }

    /// Shows the reply of `package.Service/Method`.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub fn reply(&self, method: &str, bytes: &[u8]) -> Result<Json, RedactError> {
        self.json(self.method(method)?.output().full_name(), bytes)
    }

    fn method(&self, full: &str) -> Result<MethodDescriptor, RedactError> {
        let unknown = || RedactError::UnknownMessage(full.to_owned());
        let (service, name) = full.split_once('/').ok_or_else(unknown)?;
        let service = self.pool.get_service_by_name(service).ok_or_else(unknown)?;
        service.methods().find(|method| method.name() == name).ok_or_else(unknown)
    }

    /// Shows a message, given its full name and its bytes.
    ///
    /// # Errors
    /// [`RedactError::UnknownMessage`] and [`RedactError::Undecodable`]; neither repeats the bytes.
    pub fn json(&self, message: &str, bytes: &[u8]) -> Result<Json, RedactError> {
        let descriptor =
            self.pool.get_message_by_name(message).ok_or_else(|| RedactError::UnknownMessage(message.to_owned()))?;
        let decoded =
            DynamicMessage::decode(descriptor, bytes).map_err(|_| RedactError::Undecodable(message.to_owned()))?;
        Ok(self.message(&decoded))
    }

    fn message(&self, message: &DynamicMessage) -> Json {
        // A well-known type (Timestamp, Struct ...) has a JSON form of its own and no field of ours.
        if message.descriptor().package_name() == "google.protobuf" {
            return serde_json::to_value(message).unwrap_or(Json::Null);
        }
        let fields = message.fields().map(|(field, value)| {
            let shown = if self.is_sensitive(&field) { Json::from(BLACK) } else { self.value(value, &field) };
            (field.name().to_owned(), shown)
        });
        Json::Object(fields.collect::<Map<_, _>>())
    }

    fn value(&self, value: &Value, field: &FieldDescriptor) -> Json {
        match value {
            Value::Message(message) => self.message(message),
            Value::List(items) => items.iter().map(|item| self.value(item, field)).collect(),
            Value::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (key_text(key), self.value(value, field)));
                Json::Object(entries.collect::<Map<_, _>>())
            }
            Value::EnumNumber(number) => enum_text(field, *number),
            Value::Bytes(bytes) => Json::from(format!("{} bytes", bytes.len())),
            Value::Bool(flag) => Json::from(*flag),
            Value::I32(number) => Json::from(*number),
            Value::I64(number) => Json::from(*number),
            Value::U32(number) => Json::from(*number),
            Value::U64(number) => Json::from(*number),
            Value::F32(number) => Json::from(*number),
            Value::F64(number) => Json::from(*number),
            Value::String(text) => Json::from(text.as_str()),
        }
    }

    fn is_sensitive(&self, field: &FieldDescriptor) -> bool {
        field.name() == EXTRA_FIELDS
            || self
                .sensitive
                .as_ref()
                .is_some_and(|option| field.options().get_extension(option).as_bool().unwrap_or(false))
    }
}

impl Described {
    /// Takes descriptor sets; they are read when a message is to be shown.
    #[must_use]
    pub fn new(sets: Vec<&'static [u8]>) -> Self {
        Self { sets, redactor: OnceLock::new() }
    }

    fn read(&self) -> Result<Redactor, DescriptorError> {
        let mut pool = DescriptorPool::new();
        self.sets.iter().try_for_each(|set| pool.decode_file_descriptor_set(*set))?;
        Ok(Redactor::new(pool))
    }
}

impl Describe for Described {
    fn redactor(&self, _: &str) -> Option<Arc<Redactor>> {
        let read = || match self.read() {
            Ok(redactor) => Some(Arc::new(redactor)),
            Err(error) => {
                tracing::warn!(%error, "messages cannot be shown");
                None
            }
        };
        self.redactor.get_or_init(read).clone()
    }
}

fn key_text(key: &prost_reflect::MapKey) -> String {
    use prost_reflect::MapKey;
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

fn enum_text(field: &FieldDescriptor, number: i32) -> Json {
    let kind = match field.kind() {
        prost_reflect::Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    };
    kind.as_enum().and_then(|kind| kind.get_value(number)).map_or(Json::from(number), |value| Json::from(value.name()))
}
