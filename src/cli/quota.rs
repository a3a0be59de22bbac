//! `larkdeck quota`.

use serde_json::{Value, json};

use super::{
    args::{QuotaArgs, QuotaCommand},
    error::CliError,
    output::Output,
    setup::Context,
    table::{Align, Table},
};
use crate::core::quota::{BucketUse, MonthUse, QuotaReport, QuotaSource};

pub(super) async fn run(context: &mut Context, args: QuotaArgs) -> Result<(), CliError> {
    let (deck, view) = context.integration(None).await?;
    let id = &view.integration.id;
    let report = match args.command {
        Some(QuotaCommand::Rebase { used }) => deck.rebase_quota(id, used).await?,
        None => deck.quota(id).await?,
    };
    let out = &mut context.out;
    if out.is_json() {
        let object = report_json(out, &view.integration.name, &report);
        return out.object(&object);
    }
    print(out, &report)
}

fn report_json(out: &Output, integration: &str, report: &QuotaReport) -> Value {
    let bucket = |bucket: &BucketUse| {
        json!({
            "name": bucket.name,
            "limit": bucket.limit,
            "window_s": bucket.window_s,
            "used": bucket.used,
            "waiting": bucket.waiting,
            "paused_until": out.time_json(bucket.paused_until),
        })
    };
    let endpoints = report.endpoints.iter().map(|endpoint| {
        json!({
            "endpoint": endpoint.endpoint,
            "counted": endpoint.counted,
            "exempt": endpoint.exempt,
            "failed": endpoint.failed,
        })
    });
    let features =
        report.features.iter().map(|(feature, calls)| json!({ "feature": feature, "calls": calls }));
    json!({
        "integration": integration,
        "month": month_json(out, &report.month),
        "buckets": report.buckets.iter().map(bucket).collect::<Vec<_>>(),
        "endpoints": endpoints.collect::<Vec<_>>(),
        "features": features.collect::<Vec<_>>(),
    })
}

fn month_json(out: &Output, month: &MonthUse) -> Value {
    json!({
        "used": month.used,
        "exempt": month.exempt,
        "unknown": month.unknown,
        "limit": month.limit,
        "source": month.source,
        "resets_at": out.time_json(Some(month.resets_at)),
        "forecast_empty_at": out.time_json(month.forecast_empty_at),
        "exhausted": month.exhausted,
    })
}

fn print(out: &mut Output, report: &QuotaReport) -> Result<(), CliError> {
    let month = &report.month;
    let limit = month.limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    let source = match month.source {
        QuotaSource::CountedHere => "counted here",
        QuotaSource::Official => "on the official figure",
    };
    out.line(&format!("Month     {} of {limit} calls, {source}", month.used))?;
    out.line(&format!("Exempt    {} (tokens and contacts do not count)", month.exempt))?;
    out.line(&format!("Unknown   {} (no answer came: they may have counted)", month.unknown))?;
    out.line(&format!("Resets    {}", out.time(Some(month.resets_at))))?;
    let forecast = match (month.exhausted, month.forecast_empty_at) {
        (true, _) => "the platform says that the month is used up".to_owned(),
        (false, Some(at)) => format!("empty at {} at this pace", out.time(Some(at))),
        (false, None) => "lasts at this pace".to_owned(),
    };
    out.line(&format!("Forecast  {forecast}"))?;
    out.line("")?;
    let mut table = Table::new([
        ("BUCKET", Align::Left),
        ("USED", Align::Right),
        ("LIMIT", Align::Right),
        ("WINDOW", Align::Right),
        ("WAITING", Align::Right),
        ("PAUSED UNTIL", Align::Left),
    ]);
    for bucket in &report.buckets {
        table.row([
            bucket.name.clone(),
            bucket.used.to_string(),
            bucket.limit.to_string(),
            format!("{} s", bucket.window_s),
            bucket.waiting.to_string(),
            out.time(bucket.paused_until),
        ]);
    }
    out.table(&table)
}
