//! What is said to the store: two scripts, each of them atomic.

use std::time::{Duration, Instant};

use domain::Name;
use policy::shared::{Ledger, Said};
use redis::{RedisError, Script};

use super::link::Link;
use super::{Error, LimitsStore};
use crate::compile::Compiled;
use crate::core::Clock;

/// The most counters of one script: it holds up everybody else's.
const KEYS_MAX: usize = 250;
/// Nodes that were not heard of for so long, or for five rounds, are gone.
const NODE_GONE: Duration = Duration::from_secs(10);

/// Brings counters together. Per key four arguments: `s`, microseconds spent, ahead, and since when; or the name of
/// whoever counted, all its units, and how long they are kept.
///
/// A rate is the moment at which its next call is due, by the store's clock. What was spent came after the last
/// round, so it is put behind that and not behind now; else whoever is slower than the rate would seem faster.
const BRING: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local all = {}
for i, key in ipairs(KEYS) do
  local who, first, second, third = unpack(ARGV, 4 * i - 3, 4 * i)
  if who == 's' then
    local due = tonumber(redis.call('GET', key) or '0')
    due = math.max(due, now - third) + first
    due = math.max(due, now + second)
    redis.call('SET', key, string.format('%.2f', due), 'PX', math.ceil((due - now + third) / 1000) + 1000)
    all[i] = string.format('%.2f', due - now)
  else
    local before = tonumber(redis.call('HGET', key, who) or '0')
    local own = tonumber(first)
    if own > before then
      redis.call('HSET', key, who, own)
      redis.call('HINCRBY', key, 'all', own - before)
      redis.call('EXPIRE', key, second)
    end
    all[i] = tostring(redis.call('HGET', key, 'all') or own)
  end
end
return all
";

/// Says that a node is there, and counts those that are.
const GREET: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {tostring(redis.call('ZCARD', KEYS[1]))}
";

/// Who counts.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// For what survives a restart: quotas are in the node's log.
    pub(crate) node: String,
    /// For what does not.
    pub(crate) process: String,
}

/// What a round did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) nodes: u32,
    pub(super) told: u64,
}

/// The store.
#[derive(Debug)]
pub(super) struct Store {
    link: Link,
    identity: Identity,
    /// What keys begin with; the braces keep them together in a cluster.
    prefix: String,
    bring: Script,
    greet: Script,
    gone_ms: u128,
}

/// A counter on its way to the store.
struct Told<'a> {
    ledger: &'a dyn Ledger,
    caller: u128,
    said: Said,
    key: String,
}

impl Store {
    pub(super) fn new(settings: &LimitsStore, environment: &Name, identity: Identity) -> Result<Self, Error> {
        let five_rounds = Duration::from_millis(u64::from(settings.sync_ms) * 5);
        Ok(Self {
            link: Link::new(settings)?,
            identity,
            prefix: format!("gateline:{{{environment}}}:"),
            bring: Script::new(BRING),
            greet: Script::new(GREET),
            gone_ms: NODE_GONE.max(five_rounds).as_millis(),
        })
    }

    /// Tells what was counted since the last round, which was `since` ago, and hears what all have counted.
    pub(super) async fn round(
        &mut self,
        compiled: Option<&Compiled>,
        clock: &Clock,
        since: Duration,
    ) -> Result<Round, RedisError> {
        let key = format!("{}nodes", self.prefix);
        let greeting = [self.identity.process.clone(), self.gone_ms.to_string()];
        let nodes = self.link.run(&self.greet, &[key], &greeting).await?;
        let all = compiled.map_or_else(Vec::new, |compiled| self.collect(compiled, clock));
        for (index, chunk) in all.chunks(KEYS_MAX).enumerate() {
            if let Err(error) = self.bring(chunk, clock, since).await {
                for told in &all[index * KEYS_MAX..] {
                    told.ledger.unheard(told.caller);
                }
                return Err(error);
            }
        }
        Ok(Round {
            nodes: nodes.first().map_or(1, |nodes| *nodes as u32),
            told: all.len() as u64,
        })
    }

    fn collect<'a>(&self, compiled: &'a Compiled, clock: &Clock) -> Vec<Told<'a>> {
        let now = clock.at(Instant::now());
        let mut all = Vec::new();
        for (name, ledger) in compiled.ledgers() {
            ledger.untold(now, &mut |caller, said| {
                let key = match said {
                    Said::Spent { .. } => format!("{}{name}:s:{caller:x}", self.prefix),
                    Said::Counted { kind, window, .. } => {
                        format!("{}{name}:{kind}:{caller:x}:{window}", self.prefix)
                    }
                };
                all.push(Told {
                    ledger,
                    caller,
                    said,
                    key,
                });
            });
        }
        all
    }

    async fn bring(&mut self, chunk: &[Told<'_>], clock: &Clock, since: Duration) -> Result<(), RedisError> {
        let micros = |nanos: u64| format!("{:.2}", nanos as f64 / 1000.0);
        let keys: Vec<_> = chunk.iter().map(|told| told.key.clone()).collect();
        let arguments: Vec<_> = chunk
            .iter()
            .flat_map(|told| match told.said {
                Said::Spent { untold_ns, ahead_ns } => [
                    "s".to_owned(),
                    micros(untold_ns),
                    micros(ahead_ns),
                    since.as_micros().to_string(),
                ],
                Said::Counted {
                    kind,
                    own,
                    keep_seconds,
                    ..
                } => {
                    let who = if kind == 'w' {
                        &self.identity.process
                    } else {
                        &self.identity.node
                    };
                    [
                        who.clone(),
                        own.to_string(),
                        keep_seconds.to_string(),
                        String::new(),
                    ]
                }
            })
            .collect();
        let answers = self.link.run(&self.bring, &keys, &arguments).await?;
        let now = clock.at(Instant::now());
        for (told, answer) in chunk.iter().zip(answers) {
            let all = match told.said {
                Said::Spent { .. } => answer * 1000.0,
                Said::Counted { .. } => answer,
            };
            told.ledger.hear(told.caller, told.said, all as u64, now);
        }
        Ok(())
    }
}
