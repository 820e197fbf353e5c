//! How flags are used: counting what they gave, and finding those that nobody needs any more.

use std::collections::HashMap;
use std::time::Duration;

use domain::Timestamp;
use domain::code::Code;
use domain::flag::{FeatureFlag, FeatureFlagUse, FlagEvaluations, FlagStaleness};
use domain::id::FeatureFlagId;
use store::Tx;
use store::flag::evaluation::{self, Evaluated, Evaluations};

use crate::{Caller, Control, Error};

const DAY: Duration = Duration::from_secs(86_400);
/// How long a flag must not have been used, or have given one variant, for nobody to need it.
const IDLE: Duration = Duration::from_secs(30 * 86_400);
/// How long counts are kept.
const KEPT: Duration = Duration::from_secs(100 * 86_400);

/// Since when variants are looked at, and whether evaluations are counted for as long as that.
struct Look {
    now: Timestamp,
    since: Timestamp,
    is_counted: bool,
}

impl Control {
    /// Adds evaluations of flags to those that were counted before.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn count_flag_evaluations(&self, rows: &[Evaluations]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.store().begin().await?;
        evaluation::count(&mut tx, rows).await?;
        Ok(tx.commit().await?)
    }

    /// How flags of one organization are used, by their ids.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn flag_uses(
        &self,
        flags: &[FeatureFlag],
    ) -> Result<HashMap<FeatureFlagId, FeatureFlagUse>, Error> {
        let Some(organization) = flags.first().map(|flag| flag.organization_id) else {
            return Ok(HashMap::new());
        };
        let keys: Vec<_> = flags.iter().map(|flag| flag.spec.key.to_string()).collect();
        let look = self.look().await?;
        let found = evaluation::evaluated(&mut self.store(), organization, Some(&keys), look.since).await?;
        let uses = flags.iter().map(|flag| (flag.id, look.at(flag, &found)));
        Ok(uses.collect())
    }

    /// The flags of the caller's organization that nobody may need any more.
    ///
    /// # Errors
    /// Those of a list.
    pub async fn stale_flags(&self, caller: &Caller) -> Result<Vec<FeatureFlagId>, Error> {
        let organization = caller.organization()?;
        self.access()
            .check(caller, "list_feature_flags", organization, None)?;
        let look = self.look().await?;
        let found = evaluation::evaluated(&mut self.store(), organization, None, look.since).await?;
        let flags = store::flag::all(&mut self.store(), organization).await?;
        let stale = flags.iter().filter(|flag| look.at(flag, &found).stale.is_some());
        Ok(stale.map(|flag| flag.id).collect())
    }

    /// How often which variants of a flag were given: the last 30 days if nothing else is asked for.
    ///
    /// # Errors
    /// `not_found` if the caller may not see the flag, `parameter_invalid` if it ends before it begins.
    pub async fn flag_evaluations(
        &self,
        caller: &Caller,
        flag: FeatureFlagId,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<FlagEvaluations, Error> {
        let flag = self.read::<FeatureFlag>(caller, flag).await?;
        self.authorize(&mut self.store(), caller, "read_feature_flag_evaluations", &flag)
            .await?;
        let to = to.unwrap_or_else(|| self.now());
        let from = from.unwrap_or_else(|| to.before(IDLE));
        if from >= to {
            return Err(Error::refused(
                Code::ParameterInvalid,
                "`from` is not before `to`.",
            ));
        }
        // The whole day in which it begins.
        let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
        let begin = Timestamp::from_micros(from.as_micros().div_euclid(day) * day);
        let place = (flag.organization_id, flag.spec.key.as_str());
        let counts = evaluation::of_flag(&mut self.store(), place, (begin, to)).await?;
        Ok(FlagEvaluations {
            flag_id: flag.id,
            from: begin,
            to,
            counts,
        })
    }

    async fn look(&self) -> Result<Look, Error> {
        let now = self.now();
        let since = now.before(IDLE);
        let counted = evaluation::counted_since(&mut self.store()).await?;
        Ok(Look {
            now,
            since,
            is_counted: counted.is_some_and(|first| first <= since),
        })
    }
}

impl Look {
    fn at(&self, flag: &FeatureFlag, found: &HashMap<String, Evaluated>) -> FeatureFlagUse {
        let evaluated = found.get(flag.spec.key.as_str()).copied().unwrap_or_default();
        FeatureFlagUse {
            last_evaluated_at: evaluated.last_at,
            stale: self.staleness(flag, evaluated.variants),
        }
    }

    fn staleness(&self, flag: &FeatureFlag, variants: i64) -> Option<FlagStaleness> {
        if flag.spec.expires_at.is_some_and(|end| end <= self.now) {
            return Some(FlagStaleness::Expired);
        }
        if flag.created_at > self.since || !self.is_counted {
            return None;
        }
        match variants {
            0 => Some(FlagStaleness::NeverEvaluated),
            1 => Some(FlagStaleness::OneVariant),
            _ => None,
        }
    }
}

/// Forgets counts of long ago.
pub(crate) async fn forget_old(tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
    Ok(evaluation::forget_before(tx, now.before(KEPT)).await?)
}
