use domain::identity::Role;
use domain::node::{NodeState, NodeStatus};
use store::on_both;

use crate::Caller;
use crate::access::Roles;
use crate::fixture::World;
use crate::usage::tests::node;

fn status(state: NodeState, reason: &str) -> NodeStatus {
    NodeStatus {
        environment: "sandbox".parse().unwrap(),
        revision: 7,
        state,
        reason: reason.to_owned(),
        health: None,
        mirrors: None,
        flags: Vec::new(),
    }
}

on_both! {
    async fn nodes_say_how_they_are(url: String) {
        let world = World::new(&url).await;
        let node = node();
        world.control.note_node(node, status(NodeState::Applied, "")).await.unwrap();
        let why = format!("bad\0{}", "x".repeat(3000));
        world.control.note_node(node, status(NodeState::Rejected, &why)).await.unwrap();
        let nodes = world.control.nodes(&world.acme).await.unwrap();
        assert_eq!(nodes.len(), 1);
        assert_eq!((nodes[0].id, nodes[0].state, nodes[0].reason.len()), (node, NodeState::Rejected, 2000));
    }

    async fn why_a_node_rejects_is_told_to_those_who_run_it(url: String) {
        let world = World::new(&url).await;
        let told = async |caller: &Caller| world.control.nodes(caller).await.unwrap().remove(0).reason;
        let viewer = Caller {
            roles: Roles { organization: Some(Role::Publisher), workspaces: Vec::new() },
            ..world.acme.clone()
        };
        let reason = "routes rte_1 and rte_2 have the same host `secret.acme.example`";
        let node = node();
        world.control.note_node(node, status(NodeState::Rejected, reason)).await.unwrap();
        // The installation began with `acme`; the owner of another tenant knows no more than its own people.
        assert_eq!(told(&world.acme).await, reason);
        for other in [world.globex.clone(), viewer.clone()] {
            let told = told(&other).await;
            assert!(told.starts_with("It cannot use the newest configuration") && !told.contains("acme"), "{told}");
        }
        world.control.note_node(node, status(NodeState::Applied, "")).await.unwrap();
        for caller in [world.globex.clone(), viewer] {
            assert_eq!(told(&caller).await, "");
        }
    }
}
