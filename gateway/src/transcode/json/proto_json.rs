//! The rules of ProtoJSON (<https://protobuf.dev/programming-guides/json/>) that prost-reflect does not keep: no field, key of a
//! map or name in a `Struct` comes twice, and a number is the same number however it is written.
//!
//! It stands between serde_json and prost-reflect, and follows the descriptor along the text.

use std::{collections::HashSet, fmt};

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};

use super::number;

/// Begins the error about a name that comes twice, which stands behind it.
pub(super) const TWICE: &str = "duplicate name '";

/// JSON that is read as a message.
pub(super) struct ProtoJson<D> {
    inner: D,
    form: ValueForm,
}

impl<D> ProtoJson<D> {
    /// JSON of one message.
    pub(super) fn new(inner: D, message: &MessageDescriptor) -> Self {
        Self { inner, form: ValueForm::of_message(message) }
    }
}

/// What a value stands for.
#[derive(Clone)]
enum ValueForm {
    Message(MessageDescriptor),
    Any(DescriptorPool),
    Map {
        key: Kind,
        value: Kind,
    },
    List(Kind),
    Integer,
    Float,
    Enum,
    /// A moment or a time, with as many digits as nanoseconds have.
    Time,
    /// Anything else, also JSON of any form.
    Other,
}

impl ValueForm {
    fn of_field(field: &FieldDescriptor) -> Self {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                Self::Map { key: entry.map_entry_key_field().kind(), value: entry.map_entry_value_field().kind() }
            }
            kind if field.is_list() => Self::List(kind),
            kind => Self::of_kind(&kind),
        }
    }

    fn of_kind(kind: &Kind) -> Self {
        match kind {
            Kind::Message(message) => Self::of_message(message),
            Kind::Enum(_) => Self::Enum,
            Kind::Double | Kind::Float => Self::Float,
            Kind::Bool | Kind::String | Kind::Bytes => Self::Other,
            _ => Self::Integer,
        }
    }

    fn of_message(message: &MessageDescriptor) -> Self {
        let Some(name) = message.full_name().strip_prefix("google.protobuf.") else {
            return Self::Message(message.clone());
        };
        match name {
            "Any" => Self::Any(message.parent_pool().clone()),
            "Int32Value" | "Int64Value" | "UInt32Value" | "UInt64Value" => Self::Integer,
            "FloatValue" | "DoubleValue" => Self::Float,
            "Timestamp" | "Duration" => Self::Time,
            "Struct" | "Value" | "ListValue" | "FieldMask" | "BoolValue" | "StringValue" | "BytesValue" => Self::Other,
            _ => Self::Message(message.clone()),
        }
    }

    /// What an element of it stands for, if it is a list.
    fn element(&self) -> Self {
        if let Self::List(kind) = self { Self::of_kind(kind) } else { Self::Other }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ProtoJson<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Reader { visitor, form: self.form })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Reader { visitor, form: self.form })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Hands a value to prost-reflect's visitor.
struct Reader<V> {
    visitor: V,
    form: ValueForm,
}

impl<'de, V: Visitor<'de>> Reader<V> {
    fn whole<E: Error>(self, number: Result<i128, &'static str>) -> Result<V::Value, E> {
        let number = number.map_err(E::custom)?;
        match (u64::try_from(number), i64::try_from(number)) {
            (Ok(number), _) => self.visitor.visit_u64(number),
            (_, Ok(number)) => self.visitor.visit_i64(number),
            _ => Err(E::custom(number::OUT_OF_RANGE)),
        }
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Reader<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.visitor.visit_bool(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        self.visitor.visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        self.visitor.visit_u64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        match self.form {
            ValueForm::Integer | ValueForm::Enum => self.whole(number::whole_of_float(value)),
            _ => self.visitor.visit_f64(value),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        match self.form {
            ValueForm::Integer => self.whole(number::whole(value)),
            ValueForm::Float => self.visitor.visit_f64(number::float(value).map_err(E::custom)?),
            ValueForm::Time if number::fraction(value) > number::NANOS => Err(E::custom(number::TOO_FINE)),
            _ => self.visitor.visit_str(value),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(ProtoJson { inner, form: self.form })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Elements { inner, form: self.form.element() })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let members =
            Members { inner, form: self.form, numbers: Vec::new(), names: HashSet::new(), value: ValueForm::Other };
        self.visitor.visit_map(members)
    }
}

/// A value on its way to where prost-reflect puts it.
struct Seed<T> {
    seed: T,
    form: ValueForm,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<T::Value, D::Error> {
        self.seed.deserialize(ProtoJson { inner, form: self.form })
    }
}

/// The elements of a list.
struct Elements<A> {
    inner: A,
    form: ValueForm,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.inner.next_element_seed(Seed { seed, form: self.form.clone() })
    }
}

/// The members of an object, each of which comes once.
struct Members<A> {
    inner: A,
    form: ValueForm,
    /// Fields of a message that were there.
    numbers: Vec<u32>,
    /// Keys of everything else.
    names: HashSet<String>,
    /// What the value behind the last key stands for.
    value: ValueForm,
}

impl<A> Members<A> {
    /// Notes a key, and what its value stands for; the key as prost-reflect reads it.
    fn enter<E: Error>(&mut self, key: String) -> Result<String, E> {
        let twice = |key: &str| E::custom(format!("{TWICE}{key}'"));
        match &self.form {
            ValueForm::Message(message) => {
                let field = message.get_field_by_json_name(&key).or_else(|| message.get_field_by_name(&key));
                // What is unknown prost-reflect refuses.
                let Some(field) = field else { return Ok(key) };
                if self.numbers.contains(&field.number()) {
                    return Err(twice(&key));
                }
                self.numbers.push(field.number());
                self.value = ValueForm::of_field(&field);
                Ok(key)
            }
            ValueForm::Map { key: kind, value } => {
                self.value = ValueForm::of_kind(value);
                let plain = match ValueForm::of_kind(kind) {
                    ValueForm::Integer => {
                        number::whole(&key).map_err(|_| E::custom("must have whole numbers as keys"))?.to_string()
                    }
                    _ => key.clone(),
                };
                if self.names.insert(plain.clone()) { Ok(plain) } else { Err(twice(&key)) }
            }
            _ => match self.names.insert(key.clone()) {
                true => Ok(key),
                false => Err(twice(&key)),
            },
        }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<A> {
    type Error = A::Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        let Some(key) = self.inner.next_key::<String>()? else {
            return Ok(None);
        };
        let key = self.enter(key)?;
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        if let ValueForm::Any(pool) = &self.form
            && self.names.len() == 1
            && self.names.contains("@type")
        {
            // The usual order: from here on it is known which fields there are.
            let address: String = self.inner.next_value()?;
            let message = address.rsplit('/').next().and_then(|name| pool.get_message_by_name(name));
            if let Some(form @ ValueForm::Message(_)) = message.as_ref().map(ValueForm::of_message) {
                self.form = form;
            }
            return seed.deserialize(address.into_deserializer());
        }
        let form = std::mem::replace(&mut self.value, ValueForm::Other);
        self.inner.next_value_seed(Seed { seed, form })
    }
}
