use super::nameless;

#[test]
fn places_in_their_order_lose_their_names() {
    let table = [
        ("SELECT 1", "SELECT 1"),
        ("SELECT $1, $2 + 1", "SELECT ?, ? + 1"),
        ("VALUES ($1, $2), ($3, $4)", "VALUES (?, ?), (?, ?)"),
        // Twice, out of order, from another number, or no place at all: as it was.
        ("SELECT $1, $1", "SELECT $1, $1"),
        ("SELECT $2, $1", "SELECT $2, $1"),
        ("SELECT $2", "SELECT $2"),
        ("SELECT $1, '$.a'", "SELECT $1, '$.a'"),
        ("SELECT $1, $", "SELECT $1, $"),
    ];
    for (sql, text) in table {
        assert_eq!(nameless(sql), text);
    }
    let many: Vec<_> = (1..=12).map(|place| format!("${place}")).collect();
    assert_eq!(nameless(&many.join(",")), ["?"; 12].join(","));
}
