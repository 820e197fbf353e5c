use std::collections::BTreeSet;

use domain::Code;
use domain::id::{ClientId, OrganizationId, UserId, WorkspaceId};
use domain::identity::Role;
use uuid::Uuid;

use super::{Access, Caller, Principal, Roles};

/// Operation × role, reviewed by people; this test says that Cedar decides the same.
const MATRIX: &str = include_str!("../../../../spec/authorization.tsv");
const COLUMNS: [&str; 8] = [
    "operation",
    "anonymous",
    "viewer",
    "experimenter",
    "publisher",
    "admin",
    "owner",
    "stranger",
];

fn member(organization: OrganizationId, role: Option<Role>) -> Caller {
    Caller {
        principal: Principal::User(UserId::new(Uuid::now_v7())),
        organization: Some(organization),
        roles: Roles {
            organization: role,
            workspaces: Vec::new(),
        },
        request_id: None,
    }
}

fn organization() -> OrganizationId {
    OrganizationId::new(Uuid::now_v7())
}

fn allowed(access: &Access, caller: &Caller, action: &str, ours: OrganizationId) -> bool {
    match access.check(caller, action, ours, None) {
        Ok(()) => true,
        Err(error) => {
            let code = error.code();
            let anonymous = caller.principal == Principal::Anonymous;
            assert_eq!(
                anonymous,
                code == Code::AuthenticationRequired,
                "{action}: {code:?}"
            );
            assert!(code != Code::Internal, "{action}: {error}");
            false
        }
    }
}

#[test]
fn cedar_decides_as_the_matrix_says() {
    let access = Access::new().unwrap();
    let ours = organization();
    let mut callers = vec![Caller::anonymous(None)];
    callers.extend(Role::ALL.map(|role| member(ours, Some(role))));
    callers.push(member(organization(), Some(Role::Owner)));
    let mut lines = MATRIX.lines();
    assert_eq!(lines.next().unwrap().split('\t').collect::<Vec<_>>(), COLUMNS);
    let mut listed = BTreeSet::new();
    for line in lines {
        let cells: Vec<_> = line.split('\t').collect();
        assert_eq!(cells.len(), COLUMNS.len(), "{line}");
        assert!(listed.insert(cells[0]), "{} stands there twice", cells[0]);
        for ((caller, cell), column) in callers.iter().zip(&cells[1..]).zip(&COLUMNS[1..]) {
            let expected = match *cell {
                "allow" => true,
                "deny" => false,
                other => panic!("{other} in {line}"),
            };
            assert_eq!(
                allowed(&access, caller, cells[0], ours),
                expected,
                "{} {column}",
                cells[0]
            );
        }
    }
    let known: BTreeSet<_> = access.actions().into_iter().collect();
    assert_eq!(
        listed, known,
        "spec/authorization.tsv and the schema name different operations"
    );
}

#[test]
fn another_tenant_is_not_there() {
    let access = Access::new().unwrap();
    let stranger = member(organization(), Some(Role::Owner));
    for action in access.actions() {
        let answer = access.check(
            &stranger,
            action,
            organization(),
            Some(WorkspaceId::new(Uuid::now_v7())),
        );
        let told = answer.as_ref().map_err(crate::Error::code);
        assert!(matches!(told, Ok(()) | Err(Code::NotFound)), "{action}: {told:?}");
    }
}

#[test]
fn what_is_seen_but_not_changed_is_forbidden_and_names_the_role() {
    let access = Access::new().unwrap();
    let ours = organization();
    let viewer = member(ours, Some(Role::Viewer));
    let error = access.check(&viewer, "create_api", ours, None).unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    assert!(error.to_string().contains("publisher"), "{error}");
    let error = access.check(&viewer, "read_client", ours, None).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let error = access
        .check(&viewer, "list_audit_entries", ours, None)
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    let nobody = member(ours, None);
    assert_eq!(
        access.check(&nobody, "list_apis", ours, None).unwrap_err().code(),
        Code::NotFound
    );
}

#[test]
fn a_role_in_a_workspace_holds_there_only() {
    let access = Access::new().unwrap();
    let ours = organization();
    let [team, others] = [(); 2].map(|()| WorkspaceId::new(Uuid::now_v7()));
    let mut caller = member(ours, None);
    caller.roles.workspaces = vec![(team, Role::Publisher)];
    let check = |action, workspace| {
        access
            .check(&caller, action, ours, workspace)
            .map_err(|error| error.code())
    };
    assert_eq!(check("create_api", Some(team)), Ok(()));
    assert_eq!(check("create_api", Some(others)), Err(Code::PermissionDenied));
    assert_eq!(check("create_api", None), Err(Code::PermissionDenied));
    assert_eq!(check("read_api", Some(others)), Ok(()));
    assert_eq!(check("list_apis", None), Ok(()));
    assert_eq!(check("create_client", Some(team)), Err(Code::PermissionDenied));
}

#[test]
fn machines_have_roles_like_people_but_no_account() {
    let access = Access::new().unwrap();
    let ours = organization();
    let mut caller = member(ours, Some(Role::Publisher));
    caller.principal = Principal::Client(ClientId::new(Uuid::now_v7()));
    assert!(access.check(&caller, "import_api", ours, None).is_ok());
    assert!(access.check(&caller, "create_invitation", ours, None).is_err());
    assert_eq!(caller.user().unwrap_err().code(), Code::NotFound);
}

#[test]
fn an_operation_without_a_rule_is_refused() {
    let access = Access::new().unwrap();
    let ours = organization();
    for action in ["launch_rocket", "viewing", ""] {
        let error = access
            .check(&Caller::system(Some(ours)), action, ours, None)
            .unwrap_err();
        assert_eq!(error.code(), Code::Internal, "{action}");
    }
}

#[test]
fn a_decision_is_quick() {
    let access = Access::new().unwrap();
    let ours = organization();
    let workspace = WorkspaceId::new(Uuid::now_v7());
    let caller = member(ours, Some(Role::Publisher));
    let started = std::time::Instant::now();
    let rounds = 200;
    for _ in 0..rounds {
        access
            .check(&caller, "create_api", ours, Some(workspace))
            .unwrap();
    }
    let each = started.elapsed() / rounds;
    println!("{each:?} a decision");
    // Debug builds on busy machines are slow; this is to notice milliseconds that become tens of them.
    assert!(each.as_millis() < 20, "{each:?}");
}
