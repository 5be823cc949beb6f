//! Bodies written in the protocol's primitive types, straight from the machine's values. Going through the generated
//! types costs several allocations per partition, which a failover with 200,000 of them pays for every replica.

use bytes::{BufMut, Bytes, BytesMut};
use gregor_model::{BrokerId, TopicId};
use gregor_wire::client::ClientError;

/// A body being written, in the compact encodings of flexible versions (KIP-482) or the older ones.
pub(super) struct Body {
    bytes: BytesMut,
    flexible: bool,
    too_long: bool,
}

impl Body {
    /// An empty body, with room for about so many bytes.
    pub(super) fn new(flexible: bool, room: usize) -> Body {
        Body { bytes: BytesMut::with_capacity(room), flexible, too_long: false }
    }

    /// What was written, unless a text or a list was too long for its length to be written.
    pub(super) fn finish(self) -> Result<Bytes, ClientError> {
        match self.too_long {
            true => Err(ClientError::Unencodable("a text or a list is too long".to_owned())),
            false => Ok(self.bytes.freeze()),
        }
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.bytes.put_i8(value);
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.bytes.put_i16(value);
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.bytes.put_i32(value);
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.bytes.put_i64(value);
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.bytes.put_u8(u8::from(value));
    }

    /// A broker's id; -1 for none.
    pub(super) fn broker(&mut self, id: Option<BrokerId>) {
        self.bytes.put_i32(BrokerId::to_wire(id));
    }

    /// A topic's id; all zero for none.
    pub(super) fn topic_id(&mut self, id: Option<TopicId>) {
        self.bytes.put_slice(TopicId::to_wire(id).as_bytes());
    }

    /// The length of the list whose entries follow.
    pub(super) fn list(&mut self, length: usize) {
        if self.flexible {
            self.varint(length + 1);
        } else {
            self.too_long |= i32::try_from(length).is_err();
            self.bytes.put_i32(length as i32);
        }
    }

    pub(super) fn brokers(&mut self, ids: &[BrokerId]) {
        self.list(ids.len());
        for id in ids {
            self.bytes.put_i32(id.0);
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        if self.flexible {
            self.varint(bytes.len() + 1);
        } else {
            self.too_long |= i16::try_from(bytes.len()).is_err();
            self.bytes.put_i16(bytes.len() as i16);
        }
        self.bytes.put_slice(bytes);
    }

    pub(super) fn optional_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None if self.flexible => self.bytes.put_u8(0),
            None => self.bytes.put_i16(-1),
        }
    }

    /// The end of a structure: no tagged fields.
    pub(super) fn end(&mut self) {
        if self.flexible {
            self.bytes.put_u8(0);
        }
    }

    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.bytes.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.put_u8(value as u8);
    }
}
