//! What a statement may be: one query, of a size that can be worked out.

use std::collections::HashMap;
use std::ops::ControlFlow;

use deltalake::datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use deltalake::datafusion::logical_expr::{Expr, LogicalPlan, Operator, WindowFunctionDefinition};
use deltalake::datafusion::sql::parser::{DFParserBuilder, ExplainStatement, Statement};
use deltalake::datafusion::sql::sqlparser::ast::{
    ObjectName, ObjectNamePart, Query, Statement as Sql, Visit, Visitor,
};
use deltalake::datafusion::sql::sqlparser::dialect::GenericDialect;

use super::session::{AGGREGATES, SCALARS, WINDOWS};
use super::{Error, SQL_BYTES_MAX};

/// Brackets and subqueries within each other.
const DEPTH_MAX: usize = 40;
/// Tables that a query reads; a common table counts for all that it reads, each time it is used.
const TABLES_MAX: u64 = 64;
/// Steps of a plan; a common table counts each time it is used.
const STEPS_MAX: usize = 400;
/// Rows of the smaller side of a join that has no columns to look rows up by.
const CROSSED_MAX: usize = 1000;
/// Parts of an expression, with the expressions in place that its columns stand for.
const PARTS_MAX: u64 = 20_000;

/// Reads the text of one query, or of one that is to be explained.
pub(super) fn statement(sql: &str) -> Result<Statement, Error> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(Error::Length { limit: SQL_BYTES_MAX });
    }
    let parsed = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(DEPTH_MAX)
        .build()
        .and_then(|mut parser| parser.parse_statements());
    let mut statements = parsed.map_err(Error::of_plan)?;
    let found = statements.len();
    let Some(statement) = statements.pop_front().filter(|_| found == 1) else {
        return Err(Error::Statements { found });
    };
    if let Some(query) = query(&statement) {
        // Planning itself walks through a common table each time that it is used.
        return match query.visit(&mut Tables::default()) {
            ControlFlow::Continue(()) => Ok(statement),
            ControlFlow::Break(TooMany) => Err(Error::Complexity),
        };
    }
    let text = statement.to_string();
    let mut words = text.split_whitespace();
    let what = words.next().unwrap_or("this").to_ascii_uppercase();
    Err(Error::NotAllowed { what })
}

fn query(statement: &Statement) -> Option<&Query> {
    match statement {
        Statement::Statement(sql) => match &**sql {
            Sql::Query(query) => Some(query),
            _ => None,
        },
        // What a run of it would tell, other tenants' rows have a part in.
        Statement::Explain(ExplainStatement { options, .. }) if options.analyze => None,
        Statement::Explain(ExplainStatement { statement, .. }) => query(statement),
        _ => None,
    }
}

/// Counts the tables that a query reads, those of a common table each time that it is used.
#[derive(Default)]
struct Tables {
    /// How many tables stand for a common one, by its name.
    common: HashMap<String, u64>,
    /// The names of common tables whose queries come next.
    names: HashMap<*const Query, String>,
    /// The tables of each query that is open, the innermost last.
    open: Vec<u64>,
}

struct TooMany;

impl Visitor for Tables {
    type Break = TooMany;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<TooMany> {
        for common in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = common.alias.name.value.to_lowercase();
            self.names.insert(std::ptr::from_ref(&*common.query), name);
        }
        self.open.push(1);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<TooMany> {
        let count = self.open.pop().unwrap_or(1);
        if count > TABLES_MAX {
            return ControlFlow::Break(TooMany);
        }
        match self.names.remove(&std::ptr::from_ref(query)) {
            // The same name may stand for two in different places: then for the larger one.
            Some(name) => {
                let known = self.common.entry(name).or_default();
                *known = count.max(*known);
            }
            None => self.add(count),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<TooMany> {
        let name = relation.0.last().and_then(ObjectNamePart::as_ident);
        let common = name.and_then(|name| self.common.get(&name.value.to_lowercase()));
        self.add(common.copied().unwrap_or(1));
        ControlFlow::Continue(())
    }
}

impl Tables {
    fn add(&mut self, count: u64) {
        if let Some(open) = self.open.last_mut() {
            *open = open.saturating_add(count);
        }
    }
}

/// Checks the steps of a plan: each of them reads, calls what is known, and is bounded.
pub(super) fn plan(plan: &LogicalPlan) -> Result<(), Error> {
    let mut steps = 0;
    weigh(plan, &mut steps).map(drop)
}

/// The parts that each column of a plan stands for.
fn weigh(plan: &LogicalPlan, steps: &mut usize) -> Result<Vec<u64>, Error> {
    *steps += 1;
    if *steps > STEPS_MAX {
        return Err(Error::Complexity);
    }
    let mut below = Vec::new();
    for input in plan.inputs() {
        below.extend(weigh(input, steps)?);
    }
    let schemas: Vec<_> = plan
        .inputs()
        .into_iter()
        .map(LogicalPlan::schema)
        .cloned()
        .collect();
    let column = |expr: &Expr| {
        let Expr::Column(column) = expr else { return 1 };
        let mut start = 0;
        for schema in &schemas {
            if let Some(index) = schema.maybe_index_of_column(column) {
                return below.get(start + index).copied().unwrap_or(1);
            }
            start += schema.fields().len();
        }
        1
    };
    let mut weights = Vec::new();
    for expr in plan.expressions() {
        weights.push(parts(&expr, &column, steps)?);
    }
    let width = plan.schema().fields().len();
    let heaviest = below.iter().chain(&weights).copied().max().unwrap_or(1);
    Ok(match plan {
        LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) if weights.len() == width => weights,
        LogicalPlan::Window(_) => below.into_iter().chain(weights).collect(),
        LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Join(_)
            if below.len() == width =>
        {
            below
        }
        LogicalPlan::Projection(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Explain(_) => vec![heaviest; width],
        other => {
            let text = other.display().to_string();
            let what = text.split([':', ' ']).next().unwrap_or("this").to_owned();
            return Err(Error::NotAllowed { what });
        }
    })
}

/// The parts of an expression; each call in it is checked.
fn parts(expr: &Expr, column: &dyn Fn(&Expr) -> u64, steps: &mut usize) -> Result<u64, Error> {
    let mut sum = 0_u64;
    let mut refused = None;
    let walked = expr.apply(|part| {
        sum = sum.saturating_add(column(part));
        let checked = match subquery(part) {
            Some(plan) => weigh(plan, steps).map(|weights| {
                sum = sum.saturating_add(weights.into_iter().max().unwrap_or(1));
            }),
            None => call(part),
        };
        if sum > PARTS_MAX {
            refused = Some(Error::Complexity);
        }
        if let Err(error) = checked {
            refused = Some(error);
        }
        Ok(match refused {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    });
    walked.map_err(Error::of_plan)?;
    refused.map_or(Ok(sum), Err)
}

/// Refuses joins of everything with everything.
///
/// Nothing stops a join before all rows of one side have been held against some of the other. So of those that have no
/// columns to look rows up by, one side must be known to have few.
pub(super) fn joins(optimized: &LogicalPlan) -> Result<(), Error> {
    let mut is_endless = false;
    let walked = optimized.apply_with_subqueries(|plan| {
        if let LogicalPlan::Join(join) = plan {
            let is_few = |side: &LogicalPlan| side.max_rows().is_some_and(|rows| rows <= CROSSED_MAX);
            is_endless |= join.on.is_empty() && !is_few(&join.left) && !is_few(&join.right);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    walked.map_err(Error::of_plan)?;
    if is_endless {
        return Err(Error::Join);
    }
    Ok(())
}

fn subquery(expr: &Expr) -> Option<&LogicalPlan> {
    match expr {
        Expr::ScalarSubquery(subquery) => Some(&subquery.subquery),
        Expr::InSubquery(found) => Some(&found.subquery.subquery),
        Expr::Exists(found) => Some(&found.subquery.subquery),
        Expr::SetComparison(found) => Some(&found.subquery.subquery),
        _ => None,
    }
}

/// Refuses what can make values of any size, or reaches beyond the rows.
fn call(expr: &Expr) -> Result<(), Error> {
    let (name, known): (&str, &[&str]) = match expr {
        Expr::ScalarFunction(call) => (call.func.name(), SCALARS),
        Expr::AggregateFunction(call) => (call.func.name(), AGGREGATES),
        Expr::WindowFunction(call) => match &call.fun {
            WindowFunctionDefinition::AggregateUDF(function) => (function.name(), AGGREGATES),
            WindowFunctionDefinition::WindowUDF(function) => (function.name(), WINDOWS),
        },
        Expr::BinaryExpr(binary) if binary.op == Operator::StringConcat => ("||", &[]),
        Expr::ScalarVariable(_, names) => (names.first().map_or("@", String::as_str), &[]),
        Expr::Unnest(_) => ("unnest", &[]),
        _ => return Ok(()),
    };
    match known.contains(&name) {
        true => Ok(()),
        false => Err(Error::Function {
            name: name.to_owned(),
        }),
    }
}
