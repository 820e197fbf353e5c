//! The workspace that a new resource belongs to: named in the query, or the organization's default.

use control::Error;
use control::resource::Condition;
use domain::id::WorkspaceId;
use serde_json::json;

use crate::call::Call;
use crate::crud::{self, Filter};
use crate::parameter::Parameter;

/// The query parameter that names it.
pub(crate) fn parameter() -> Parameter {
    let text = "The team it will belong to. If absent, the only workspace that you have a role in, if you have none in the \
        organization; else the workspace `default`, or the oldest.";
    Parameter::query("workspace_id", text, reference())
}

/// Reads it.
pub(crate) async fn chosen(call: &Call) -> Result<WorkspaceId, Error> {
    if let Some(id) = call.query_as("workspace_id")? {
        return Ok(id);
    }
    call.control().default_workspace(&call.caller).await
}

/// `filter[workspace]`, for resources that belong to one.
pub(crate) fn filter() -> Filter {
    Filter {
        parameter: Parameter::query("filter[workspace]", "Only those of this workspace.", reference()),
        condition: |text| -> Result<Condition, String> { crud::is::<WorkspaceId>("workspace_id", text) },
    }
}

fn reference() -> serde_json::Value {
    json!({ "$ref": "#/components/schemas/WorkspaceId" })
}
