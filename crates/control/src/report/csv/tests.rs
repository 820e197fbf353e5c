use domain::analytics::{Granularity, TimeRange};
use domain::report::{Report, ReportCell, ReportUnit};

use super::super::form::{course, figure, figures, line, table};
use super::write;

fn at(text: &str) -> domain::Timestamp {
    text.parse().unwrap()
}

fn report() -> Report {
    let (from, to) = (at("2026-11-01T00:00:00Z"), at("2026-11-03T00:00:00Z"));
    let mut share = figure("share", "Share", ReportUnit::Share, 0.25);
    share.previous = Some(0.5);
    let calls = line(
        "calls",
        "Calls",
        vec![ReportCell::from(7_i64), ReportCell::default()],
    );
    let rows = [
        vec![ReportCell::from("=cmd|' /C calc'!A1"), 1_i64.into()],
        vec![ReportCell::from("Smith, \"Bob\""), 2_i64.into()],
        vec![ReportCell::default(), f64::NAN.into()],
    ];
    Report {
        name: "traffic".to_owned(),
        title: String::new(),
        about: String::new(),
        period: TimeRange { from, to },
        time_zone: "UTC".to_owned(),
        made_at: to,
        sections: vec![
            figures(("sums", "Sums, all", ""), vec![share]),
            course(
                ("course", "Course", ""),
                ReportUnit::Count,
                (Granularity::Day, vec![from, at("2026-11-02T00:00:00Z")]),
                vec![calls],
            ),
            table(
                ("names", "Names", ""),
                &[
                    ("name", "Name", ReportUnit::Text),
                    ("calls", "Calls", ReportUnit::Count),
                ],
                rows,
                "",
            ),
        ],
    }
}

#[test]
fn a_part_is_a_table_of_its_own() {
    let report = report();
    let names = "name,calls\r\n\"'=cmd|' /C calc'!A1\",1\r\n\"Smith, \"\"Bob\"\"\",2\r\n,\r\n";
    assert_eq!(write(&report, Some("names")).unwrap(), names);
    let course = "at,calls\r\n2026-11-01T00:00:00Z,7\r\n2026-11-02T00:00:00Z,\r\n";
    assert_eq!(write(&report, Some("course")).unwrap(), course);
    let error = write(&report, Some("nothing")).unwrap_err();
    assert!(error.to_string().contains("`sums`, `course`, `names`"), "{error}");
}

#[test]
fn all_parts_follow_each_other_with_their_titles() {
    let text = write(&report(), None).unwrap();
    assert!(
        text.starts_with(
            "\"Sums, all\"\r\nname,value,previous\r\nshare,0.25,0.5\r\n\r\nCourse\r\nat,calls\r\n"
        ),
        "{text}"
    );
}
