//! The premise by serde.

use ispbridge_aex::contract::Premise;
use jiff::Timestamp;
use serde::Deserialize;
use tonic::Status;

/// The reply as it stands on the wire.
#[derive(Deserialize)]
struct Wire {
    id: String,
    area_id: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    reference: Option<String>,
    external_reference: Option<String>,
    asset_reference: Option<String>,
    mdu_block: Option<String>,
    mdu_floor: Option<String>,
    plot_number: Option<String>,
    street_number: Option<String>,
    street_name: Option<String>,
    intersection: Option<String>,
    suburb: Option<String>,
    city: Option<String>,
    country_code: Option<String>,
    postal_code: Option<String>,
    province: Option<String>,
    mdu_name: Option<String>,
    mdu_unit: Option<String>,
    customer_id: Option<String>,
    name: Option<String>,
    type_id: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    status: Option<String>,
}

/// Reads the reply of `GET /premises/{premise_id}`.
pub(super) fn read_premise(body: &[u8]) -> Result<Premise, Status> {
    let wire: Wire = serde_json::from_slice(body).map_err(|_| Status::internal("the reply cannot be read"))?;
    Ok(Premise {
        id: wire.id,
        area_id: wire.area_id,
        latitude: wire.latitude,
        longitude: wire.longitude,
        reference: wire.reference,
        external_reference: wire.external_reference,
        asset_reference: wire.asset_reference,
        mdu_block: wire.mdu_block,
        mdu_floor: wire.mdu_floor,
        plot_number: wire.plot_number,
        street_number: wire.street_number,
        street_name: wire.street_name,
        intersection: wire.intersection,
        suburb: wire.suburb,
        city: wire.city,
        country_code: wire.country_code,
        postal_code: wire.postal_code,
        province: wire.province,
        mdu_name: wire.mdu_name,
        mdu_unit: wire.mdu_unit,
        customer_id: wire.customer_id,
        name: wire.name,
        type_id: wire.type_id,
        created_at: moment(wire.created_at)?,
        updated_at: moment(wire.updated_at)?,
        status: wire.status,
        extra_fields: None,
    })
}

fn moment(text: Option<String>) -> Result<Option<prost_types::Timestamp>, Status> {
    let Some(text) = text else { return Ok(None) };
    let moment = Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", text).map_err(|_| Status::internal("not a moment"))?;
    Ok(Some(prost_types::Timestamp { seconds: moment.as_second(), nanos: moment.subsec_nanosecond() }))
}
