use super::{Alert, AlertEnd, AlertState, Seen, Step, step};
use crate::Timestamp;
use crate::alert::AlertSeverity;
use crate::id::{AlertId, AlertRuleId, OrganizationId};
use crate::notice::NoticeKind;
use std::time::Duration;
use uuid::Uuid;

fn minute(number: u64) -> Timestamp {
    Timestamp::from_micros(0).after(Duration::from_secs(60 * number))
}

fn alert() -> Alert {
    Alert {
        id: AlertId::new(Uuid::nil()),
        organization_id: OrganizationId::new(Uuid::nil()),
        rule_id: AlertRuleId::new(Uuid::nil()),
        rule: "errors".parse().unwrap(),
        title: "Errors".to_owned(),
        severity: AlertSeverity::Warning,
        labels: [].into(),
        state: AlertState::Pending,
        value: 0.5,
        limit: 0.1,
        summary: String::new(),
        began_at: minute(0),
        fired_at: None,
        recovering_since: None,
        resolved_at: None,
        ended_by: None,
        notified_at: None,
        silenced: false,
        created_at: minute(0),
        updated_at: minute(0),
        revision: 1,
    }
}

/// One letter a minute: `B` breached, `S` breached in a silence, `-` neither; the same for what comes of it:
/// `p` pending, `f` firing, `F` firing and told, `R` told again, `s` firing and silenced, `o` over and told,
/// `q` over and not told, `g` gone.
fn play(hold: u64, repeat: Option<u64>, minutes: &str) -> String {
    let mut alert = alert();
    let told = minutes.chars().enumerate().map(|(number, seen)| {
        let seen = Seen {
            now: minute(number as u64),
            is_breached: seen != '-',
            hold: Duration::from_secs(60 * hold),
            is_silenced: seen == 'S',
            repeat: repeat.map(|minutes| Duration::from_secs(60 * minutes)),
        };
        let step = step(&mut alert, seen);
        match (step, alert.state) {
            (Step::Gone, _) => 'g',
            (Step::Quiet, AlertState::Pending) => 'p',
            (Step::Quiet, AlertState::Firing) if alert.silenced => 's',
            (Step::Quiet, AlertState::Firing) => 'f',
            (Step::Quiet, AlertState::Resolved) => 'q',
            (Step::Tell(NoticeKind::Firing), AlertState::Firing) => 'F',
            (Step::Tell(NoticeKind::Repeated), AlertState::Firing) => 'R',
            (Step::Tell(NoticeKind::Resolved), AlertState::Resolved) => 'o',
            other => panic!("{other:?}"),
        }
    });
    told.collect()
}

#[test]
fn alerts_go_on_as_it_is() {
    for (hold, repeat, seen, wanted) in [
        (0, None, "BBB-", "Fffo"),
        (2, None, "BBB", "ppF"),
        (2, None, "B-", "pg"),
        (2, None, "BBBB---", "ppFfffo"),
        // It came back before it was over for long enough.
        (2, None, "BBB-B---", "ppFffffo"),
        (0, Some(3), "BBBBBBBB-", "FffRffRfo"),
        (0, Some(3), "BBBSBB", "FffsRf"),
        // Told when the silence ends, or never if it is over by then.
        (0, None, "SSBB-", "ssFfo"),
        (0, None, "SS-", "ssq"),
        // Who was told that it began is told that it is over, silence or not.
        (0, None, "BS-", "Fso"),
        (2, None, "SSSBB", "ppsFf"),
    ] {
        assert_eq!(play(hold, repeat, seen), wanted, "{hold} {repeat:?} {seen}");
    }
}

#[test]
fn what_is_over_says_since_when_and_why() {
    let mut alert = alert();
    let seen = |number, is_breached| Seen {
        now: minute(number),
        is_breached,
        hold: Duration::from_secs(60),
        is_silenced: false,
        repeat: None,
    };
    step(&mut alert, seen(1, true));
    assert_eq!(
        (alert.fired_at, alert.notified_at),
        (Some(minute(1)), Some(minute(1)))
    );
    step(&mut alert, seen(2, false));
    assert_eq!(
        (alert.recovering_since, alert.resolved_at),
        (Some(minute(2)), None)
    );
    step(&mut alert, seen(3, false));
    assert_eq!(
        (alert.recovering_since, alert.resolved_at),
        (None, Some(minute(3)))
    );
    assert_eq!(alert.ended_by, Some(AlertEnd::Recovered));
}
