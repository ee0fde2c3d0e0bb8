//! Arbitrary types and values: they survive the way to bytes and to JSON and back, and other
//! implementations, given only the derived descriptors, read and write the same.

use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor};
use prost_reflect::{ReflectMessage as _, SerializeOptions};
use ward_wire::{Message, Value};

use crate::arbitrary::{Types, types};
use crate::protoc;
use crate::tools::message;

fn types_and_value() -> impl Strategy<Value = (Types, Value)> {
    types().prop_flat_map(|types| {
        let value = types.value();
        (Just(types), value)
    })
}

fn descriptor(message: &Message) -> MessageDescriptor {
    let pool = DescriptorPool::from_file_descriptor_set(message.file_descriptor_set()).unwrap();
    pool.get_message_by_name(message.full_name()).unwrap()
}

fn encoded(message: &Message, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(value, &mut out).unwrap();
    out
}

proptest! {
    #[test]
    fn bytes_come_back((types, value) in types_and_value()) {
        let message = message(&types.wit());
        prop_assert_eq!(message.decode(&encoded(&message, &value)).unwrap(), value);
    }

    #[test]
    fn json_comes_back((types, value) in types_and_value()) {
        let message = message(&types.wit());
        let json = message.to_json(&value).unwrap();
        prop_assert_eq!(message.from_json(&json).unwrap(), value);
    }

    #[test]
    fn another_implementation_writes_the_same_bytes((types, value) in types_and_value()) {
        let message = message(&types.wit());
        let bytes = encoded(&message, &value);
        let theirs = DynamicMessage::decode(descriptor(&message), &*bytes).unwrap();
        prop_assert_eq!(theirs.unknown_fields().count(), 0);
        prop_assert_eq!(theirs.encode_to_vec(), bytes);
    }

    #[test]
    fn another_implementation_means_the_same_by_json((types, value) in types_and_value()) {
        let message = message(&types.wit());
        let bytes = encoded(&message, &value);
        // Ours, read by them.
        let json = message.to_json(&value).unwrap();
        let options = DeserializeOptions::new();
        let theirs =
            DynamicMessage::deserialize_with_options(descriptor(&message), json, &options).unwrap();
        prop_assert_eq!(theirs.encode_to_vec(), bytes);
        // Theirs, read by us, with and without defaults.
        for skip in [true, false] {
            let options = SerializeOptions::new().skip_default_fields(skip);
            let json =
                theirs.serialize_with_options(serde_json::value::Serializer, &options).unwrap();
            prop_assert_eq!(message.from_json(&json).unwrap(), value.clone());
        }
    }
}

proptest! {
    // Each case starts a process.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn protoc_reads_the_text_as_the_descriptors_say(types in types()) {
        let interface = format!("{}\nf: func(r: r);", types.wit());
        let service = crate::tools::service(&interface).unwrap();
        let theirs = protoc::compile(&service.proto_files());
        let ours = service.file_descriptor_set();
        prop_assert_eq!(protoc::without_comments(theirs), protoc::without_comments(ours));
    }
}

#[test]
fn messages_describe_themselves() {
    let message = message("record r { a: u32 }");
    assert_eq!(descriptor(&message).full_name(), "t.t.v1.R");
    let dynamic = DynamicMessage::new(descriptor(&message));
    assert_eq!(dynamic.descriptor().fields().count(), 1);
}

#[test]
fn minus_zero_and_what_is_no_number_keep_their_bits() {
    let proto = "syntax = \"proto3\"; message R { float a = 1; double b = 2; double c = 3; }";
    let message = message("record r { a: f32, b: f64, c: f64 }");
    let check = |value: [f64; 3], text: &str| {
        let record = vec![Value::F32(value[0] as f32), Value::F64(value[1]), Value::F64(value[2])];
        let bytes = encoded(&message, &Value::Record(record.clone()));
        assert_eq!(bytes, protoc::encode(proto, "R", text));
        let Value::Record(read) = message.decode(&bytes).unwrap() else { panic!("a record") };
        // In words, because NaN is not equal to itself.
        assert_eq!(format!("{read:?}"), format!("{record:?}"));
    };
    check([-0.0, -0.0, 0.0], "a: -0.0 b: -0.0 c: 0.0");
    check([f64::INFINITY, f64::NEG_INFINITY, f64::NAN], "a: inf b: -inf c: nan");
}
