//! DescribeCluster (60), versions 0 and 1 (`AuthHelper.computeDescribeClusterResponse`).
//!
//! Version 1 adds the endpoint type; only brokers (1) can be described here, not KRaft controllers (2).

use gregor_model::BrokerId;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

use crate::authorized_operations;
use crate::broker::Broker;
use crate::request_context::RequestContext;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Codes of KIP-919, which the protocol crate has no names for.
const MISMATCHED_ENDPOINT_TYPE: ResponseError = ResponseError::Unknown(114);
const UNSUPPORTED_ENDPOINT_TYPE: ResponseError = ResponseError::Unknown(115);

/// Describes the brokers that have the listener of this connection.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            return refusal(
                context,
                MISMATCHED_ENDPOINT_TYPE,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                    .to_owned(),
            );
        }
        other => {
            return refusal(context, UNSUPPORTED_ENDPOINT_TYPE, format!("Unsupported endpoint type {other}"));
        }
    }
    let snapshot = broker.metadata.snapshot();
    let brokers: Vec<_> = snapshot
        .brokers()
        .filter_map(|broker| {
            let endpoint = broker.endpoint(&context.listener)?;
            Some(
                DescribeClusterBroker::default()
                    .with_broker_id(broker.id.0.into())
                    .with_host(StrBytes::from_string(endpoint.host.clone()))
                    .with_port(endpoint.port.into())
                    .with_rack(broker.rack.clone().map(StrBytes::from_string)),
            )
        })
        .collect();
    let controller = snapshot
        .controller()
        .filter(|controller| brokers.iter().any(|broker| broker.broker_id.0 == controller.0));
    DescribeClusterResponse::default()
        .with_endpoint_type(BROKERS)
        .with_cluster_id(StrBytes::from_string(broker.cluster_id.as_str().to_owned()))
        .with_controller_id(BrokerId::to_wire(controller).into())
        .with_cluster_authorized_operations(if request.include_cluster_authorized_operations {
            authorized_operations::CLUSTER
        } else {
            authorized_operations::NOT_REQUESTED
        })
        .with_brokers(brokers)
}

fn refusal(context: &RequestContext, error: ResponseError, message: String) -> DescribeClusterResponse {
    let error = if context.version == 0 { ResponseError::InvalidRequest } else { error };
    DescribeClusterResponse::default()
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}
