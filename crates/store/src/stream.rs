//! What stream routes take, beside their rows.

use domain::Name;
use domain::id::{OrganizationId, StreamRouteId};
use domain::stream::StreamRoute;

use crate::entity::{self, Condition, Read};
use crate::{Arg, Error, Tx};

/// Who takes a host of an environment at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The stream route.
    pub route: StreamRouteId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The port; any if absent.
    pub port: Option<u16>,
}

/// Reads the stream routes that take a host of an environment, at whatever port; an empty host is what nobody else takes.
pub async fn holders(read: &mut impl Read, environment: &Name, host: &str) -> Result<Vec<Holder>, Error> {
    let sql = "SELECT h.stream_route_id AS route, h.port AS port, r.organization_id AS organization
               FROM stream_hosts h JOIN stream_routes r ON r.id = h.stream_route_id
               WHERE h.environment = $1 AND h.host = $2 ORDER BY h.port";
    let rows = read.rows(sql, &[Arg::text(environment), Arg::text(host)]).await?;
    rows.iter()
        .map(|row| {
            Ok(Holder {
                route: row.parse("route")?,
                organization: row.parse("organization")?,
                port: u16::try_from(row.int("port")?).ok().filter(|port| *port > 0),
            })
        })
        .collect()
}

/// Writes what a stream route takes anew.
///
/// # Errors
/// [`Error::Taken`] if another one takes the same.
pub async fn write_hosts(tx: &mut Tx, route: &StreamRoute) -> Result<(), Error> {
    let id = Arg::text(route.id);
    let sql = "DELETE FROM stream_hosts WHERE stream_route_id = $1";
    tx.execute(sql, std::slice::from_ref(&id)).await?;
    let sql = "INSERT INTO stream_hosts (environment, port, host, stream_route_id) VALUES ($1, $2, $3, $4)";
    let rest = route.spec.hosts.is_empty().then_some("");
    for host in route.spec.hosts.iter().map(String::as_str).chain(rest) {
        let args = [
            Arg::text(&route.spec.environment),
            Arg::int(route.spec.port.unwrap_or(0).into()),
            Arg::text(host),
            id.clone(),
        ];
        tx.execute(sql, &args).await?;
    }
    Ok(())
}

/// Reads the stream routes of an environment, of all organizations.
pub async fn of_environment(read: &mut impl Read, environment: &Name) -> Result<Vec<StreamRoute>, Error> {
    entity::all(read, &[Condition::Is("environment", Arg::text(environment))]).await
}
