//! Gateway nodes, as the control plane knows them.

use domain::node::Node;

use crate::endpoint::Endpoint;
use crate::page;
use crate::parameter::Parameter;

/// `list_nodes`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let list = Endpoint::get("/api/v1/gateways", "list_nodes")
        .tag("traffic")
        .says(
            "List gateway nodes",
            "Which snapshot each one runs on, and when it was heard of; the one heard of last comes first.",
        )
        .takes_all(Parameter::page(&[]))
        .answers_page_of::<Node>("A page.")
        .to(|call| async move {
            let all = call.control().nodes(&call.caller).await?;
            page::answer_all(&call, &all, |node: &Node| node.id.to_string())
        });
    vec![list]
}
