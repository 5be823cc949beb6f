//! Which operations a client may do on a resource, as the bit field of responses (`AuthHelper.authorizedOperations`).
//!
//! Without an authorizer every operation that the resource knows is allowed.

/// `AclOperation` codes.
const READ: u32 = 3;
const WRITE: u32 = 4;
const CREATE: u32 = 5;
const DELETE: u32 = 6;
const ALTER: u32 = 7;
const DESCRIBE: u32 = 8;
const CLUSTER_ACTION: u32 = 9;
const DESCRIBE_CONFIGS: u32 = 10;
const ALTER_CONFIGS: u32 = 11;
const IDEMPOTENT_WRITE: u32 = 12;

/// The schema's default: the client did not ask.
pub const NOT_REQUESTED: i32 = i32::MIN;

/// All operations on a topic.
pub const TOPIC: i32 =
    bit_field(&[READ, WRITE, CREATE, DESCRIBE, DELETE, ALTER, DESCRIBE_CONFIGS, ALTER_CONFIGS]);

/// All operations on a group.
pub const GROUP: i32 = bit_field(&[READ, DESCRIBE, DELETE]);

/// All operations on the cluster.
pub const CLUSTER: i32 =
    bit_field(&[CREATE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE, ALTER, DESCRIBE]);

const fn bit_field(operations: &[u32]) -> i32 {
    let mut field = 0;
    let mut next = 0;
    while next < operations.len() {
        field |= 1 << operations[next];
        next += 1;
    }
    field
}
