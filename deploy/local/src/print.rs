//! Services, methods and messages as text in the manner of a `.proto` file, with its comments.

mod comment;

use std::{collections::BTreeSet, fmt::Write};

use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, MethodDescriptor, OneofDescriptor, ServiceDescriptor, Value,
};

/// Describes a service, a method (with its messages), a message or an enum; `None` if the pool has no such symbol.
#[must_use]
pub fn symbol(pool: &DescriptorPool, name: &str) -> Option<String> {
    if let Some(service) = pool.get_service_by_name(name) {
        return Some(service_text(&service));
    }
    if let Some(message) = pool.get_message_by_name(name) {
        return Some(message_text(&message));
    }
    if let Some(list) = pool.get_enum_by_name(name) {
        return Some(enum_text(&list, ""));
    }
    let (service, method) = name.rsplit_once('.')?;
    let service = pool.get_service_by_name(service)?;
    let mut methods = service.methods();
    methods.find(|known| known.name() == method).map(|method| with_messages(&method))
}

/// The methods of a service as `package.Service/Method`, one per line.
#[must_use]
pub fn methods(service: &ServiceDescriptor) -> String {
    let line = |method: MethodDescriptor| format!("{}/{}\n", service.full_name(), method.name());
    service.methods().map(line).collect()
}

fn service_text(service: &ServiceDescriptor) -> String {
    let methods: Vec<_> = service.methods().map(|method| method_text(&method)).collect();
    format!("{}{}}}\n", service_head(service), methods.join("\n"))
}

fn service_head(service: &ServiceDescriptor) -> String {
    format!("{}service {} {{\n", comment::of(&service.parent_file(), service.path(), ""), service.full_name())
}

fn method_text(method: &MethodDescriptor) -> String {
    let stream = |is: bool| if is { "stream " } else { "" };
    let head = format!(
        "{}  rpc {}({}{}) returns ({}{})",
        comment::of(&method.parent_service().parent_file(), method.path(), "  "),
        method.name(),
        stream(method.is_client_streaming()),
        method.input().full_name(),
        stream(method.is_server_streaming()),
        method.output().full_name(),
    );
    let options = options(&method.options());
    if options.is_empty() {
        return format!("{head};\n");
    }
    let lines: String = options.iter().map(|option| format!("    option {option};\n")).collect();
    format!("{head} {{\n{lines}  }}\n")
}

/// A method, then its request and reply with every message and enum of the same package that they hold.
fn with_messages(method: &MethodDescriptor) -> String {
    let mut text = format!("{}{}}}\n", service_head(method.parent_service()), method_text(method));
    let package = method.parent_service().package_name().to_owned();
    let mut seen = BTreeSet::new();
    let mut wanted = vec![Kind::Message(method.output()), Kind::Message(method.input())];
    while let Some(kind) = wanted.pop() {
        match kind {
            Kind::Message(message) if is_of(message.package_name(), &package) => {
                if !seen.insert(message.full_name().to_owned()) {
                    continue;
                }
                if !message.is_map_entry() {
                    let _ = write!(text, "\n{}", message_text(&message));
                }
                let inner: Vec<Kind> = message.fields().map(|field| field.kind()).collect();
                wanted.extend(inner.into_iter().rev());
            }
            Kind::Enum(list)
                if is_of(list.package_name(), &package)
                    && list.parent_message().is_none()
                    && seen.insert(list.full_name().to_owned()) =>
            {
                let _ = write!(text, "\n{}", enum_text(&list, ""));
            }
            _ => {}
        }
    }
    text
}

fn is_of(package: &str, wanted: &str) -> bool {
    package == wanted
}

fn message_text(message: &MessageDescriptor) -> String {
    let about = comment::of(&message.parent_file(), message.path(), "");
    let mut text = format!("{about}message {} {{\n", message.full_name());
    for list in message.child_enums() {
        text.push_str(&enum_text(&list, "  "));
    }
    for field in ordered(message.fields()) {
        match field.containing_oneof() {
            Some(oneof) if !oneof.is_synthetic() => {
                let mut fields = oneof.fields();
                if fields.next().is_some_and(|first| first == field) {
                    text.push_str(&oneof_text(&oneof));
                }
            }
            _ => text.push_str(&field_text(&field, "  ")),
        }
    }
    text + "}\n"
}

/// In the order in which they were declared; a pool gives them by number.
fn ordered(fields: impl Iterator<Item = FieldDescriptor>) -> Vec<FieldDescriptor> {
    let mut fields: Vec<_> = fields.collect();
    fields.sort_by_key(|field| field.path().last().copied());
    fields
}

fn oneof_text(oneof: &OneofDescriptor) -> String {
    let fields: String = oneof.fields().map(|field| field_text(&field, "    ")).collect();
    let about = comment::of(&oneof.parent_message().parent_file(), oneof.path(), "  ");
    format!("{about}  oneof {} {{\n{fields}  }}\n", oneof.name())
}

fn field_text(field: &FieldDescriptor, indent: &str) -> String {
    let options = options(&field.options());
    let options = match options.is_empty() {
        true => String::new(),
        false => format!(" [{}]", options.join(", ")),
    };
    let about = comment::of(&field.parent_file(), field.path(), indent);
    format!("{about}{indent}{}{} {} = {}{options};\n", label(field), type_name(field), field.name(), field.number())
}

fn label(field: &FieldDescriptor) -> &'static str {
    if field.is_map() {
        return "";
    }
    match field.cardinality() {
        Cardinality::Repeated => "repeated ",
        Cardinality::Required => "required ",
        Cardinality::Optional if field.field_descriptor_proto().proto3_optional() => "optional ",
        Cardinality::Optional => "",
    }
}

fn type_name(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => format!(
            "map<{}, {}>",
            kind_name(&entry.map_entry_key_field().kind()),
            kind_name(&entry.map_entry_value_field().kind()),
        ),
        kind => kind_name(&kind),
    }
}

fn kind_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(list) => list.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

fn enum_text(list: &EnumDescriptor, indent: &str) -> String {
    let name = match indent.is_empty() {
        true => list.full_name(),
        false => list.name(),
    };
    let (file, inner) = (list.parent_file(), format!("{indent}  "));
    let value = |value: EnumValueDescriptor| {
        let about = comment::of(&file, value.path(), &inner);
        format!("{about}{inner}{} = {};\n", value.name(), value.number())
    };
    let values: String = list.values().map(value).collect();
    let about = comment::of(&file, list.path(), indent);
    format!("{about}{indent}enum {name} {{\n{values}{indent}}}\n")
}

/// The options as `name = value`; those of other files stand in brackets.
fn options(options: &DynamicMessage) -> Vec<String> {
    let own = options.fields().map(|(field, value)| (field.name().to_owned(), field.kind(), value));
    let other = options
        .extensions()
        .map(|(extension, value)| (format!("({})", extension.full_name()), extension.kind(), value));
    own.chain(other)
        .flat_map(|(name, kind, value)| {
            let values = match value {
                Value::List(values) => values.clone(),
                value => vec![value.clone()],
            };
            values.into_iter().map(move |value| format!("{name} = {}", option_value(&kind, &value)))
        })
        .collect()
}

fn option_value(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Enum(list), Value::EnumNumber(number)) => {
            list.get_value(*number).map_or_else(|| number.to_string(), |value| value.name().to_owned())
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> DescriptorPool {
        DescriptorPool::decode(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET).unwrap()
    }

    #[test]
    fn a_service_is_printed_with_its_streams() {
        let text = symbol(&pool(), "grpc.reflection.v1.ServerReflection").unwrap();
        assert_eq!(
            text,
            "service grpc.reflection.v1.ServerReflection {\n  \
             rpc ServerReflectionInfo(stream grpc.reflection.v1.ServerReflectionRequest) \
             returns (stream grpc.reflection.v1.ServerReflectionResponse);\n}\n"
        );
    }

    #[test]
    fn a_message_is_printed_with_lists_and_alternatives() {
        let text = symbol(&pool(), "grpc.reflection.v1.ServerReflectionRequest").unwrap();
        assert!(text.contains("  string host = 1;\n  oneof message_request {\n"), "{text}");
        assert!(text.contains("    string file_by_filename = 3;\n"), "{text}");
        let text = symbol(&pool(), "grpc.reflection.v1.FileDescriptorResponse").unwrap();
        assert!(text.contains("  repeated bytes file_descriptor_proto = 1;\n"), "{text}");
    }

    #[test]
    fn a_method_brings_its_messages() {
        let name = "grpc.reflection.v1.ServerReflection.ServerReflectionInfo";
        let text = symbol(&pool(), name).unwrap();
        for name in ["ServerReflectionRequest", "ExtensionRequest", "ErrorResponse"] {
            let message = format!("\nmessage grpc.reflection.v1.{name} {{\n");
            assert_eq!(text.matches(&message).count(), 1, "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_described() {
        assert_eq!(symbol(&pool(), "grpc.reflection.v1.ServerReflection.Nothing"), None);
        assert_eq!(symbol(&pool(), "nothing"), None);
    }
}
