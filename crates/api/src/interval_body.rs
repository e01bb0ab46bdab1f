//! `/interval/` as JSON (API reference 9, decision 20).

use jiff::civil::{Date, DateTime, Time};
use model::{Condition, Interval, IntervalId, Schedule, TenantId, Zone, limits};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::calendar;
use crate::document::writable;
use crate::error::ApiError;
use crate::fields::{Change, Fields};
use crate::limits::TEXT_CHARS_MAX;

/// When rules hold: while one of the conditions does.
#[derive(Serialize, ToSchema)]
#[schema(as = Interval)]
pub(crate) struct IntervalBody {
    #[schema(read_only)]
    id: u64,
    #[schema(read_only)]
    client_id: u64,
    #[schema(max_length = 255)]
    name: String,
    /// IANA zone in which its days and times are meant.
    #[schema(example = "Europe/Moscow")]
    timezone: String,
    /// At most 100.
    conditions: Vec<ConditionBody>,
}

/// What must hold together. Of what is 0 or null nothing is asked; fields of a pair are set
/// together.
#[derive(Serialize, ToSchema, Default)]
#[schema(as = IntervalCondition)]
pub(crate) struct ConditionBody {
    /// First day of the week, 1 (Sunday) to 7 (Saturday). It may be the greater: 3 to 1 is every
    /// day but Monday.
    #[schema(maximum = 7)]
    start_dow: u8,
    #[schema(maximum = 7)]
    end_dow: u8,
    /// First day of the month.
    #[schema(maximum = 31)]
    start_mday: u8,
    #[schema(maximum = 31)]
    end_mday: u8,
    #[schema(maximum = 12)]
    month: u8,
    /// First second of the day. One that is later than the last crosses midnight, and belongs to
    /// the day on which it begins.
    #[schema(example = "09:00:00")]
    start_time: Option<String>,
    /// Last second.
    #[schema(example = "17:59:59")]
    end_time: Option<String>,
    /// First second; nothing else is asked then.
    #[schema(example = "2026-01-31 08:00:00")]
    start_datetime: Option<String>,
    /// Last second.
    #[schema(example = "2026-02-01 07:59:59")]
    end_datetime: Option<String>,
    /// First working day of a shift schedule.
    #[schema(example = "2026-01-31")]
    sched_start_date: Option<String>,
    /// Working days on end.
    sched_active_days: u16,
    /// Days off before the next.
    sched_skip_days: u16,
}

impl IntervalBody {
    pub(crate) fn of(tenant: TenantId, interval: &Interval) -> IntervalBody {
        IntervalBody {
            id: interval.id.0,
            client_id: tenant.0,
            name: interval.name.to_string(),
            timezone: interval.zone.name().to_owned(),
            conditions: interval.conditions.iter().map(ConditionBody::of).collect(),
        }
    }
}

impl ConditionBody {
    fn of(condition: &Condition) -> ConditionBody {
        let (start_dow, end_dow) = condition.days_of_week.unwrap_or_default();
        let (start_mday, end_mday) = condition.days_of_month.unwrap_or_default();
        let time = |t: Time| t.strftime("%H:%M:%S").to_string();
        let datetime = |t: DateTime| t.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let schedule = condition.schedule;
        ConditionBody {
            start_dow,
            end_dow,
            start_mday,
            end_mday,
            month: condition.month.unwrap_or(0),
            start_time: condition.times.map(|(first, _)| time(first)),
            end_time: condition.times.map(|(_, last)| time(last)),
            start_datetime: condition.datetimes.map(|(first, _)| datetime(first)),
            end_datetime: condition.datetimes.map(|(_, last)| datetime(last)),
            sched_start_date: schedule.map(|s| s.start.to_string()),
            sched_active_days: schedule.map_or(0, |s| s.active_days),
            sched_skip_days: schedule.map_or(0, |s| s.skip_days),
        }
    }
}

/// What may be written of an interval, at its creation and later.
#[derive(Debug)]
pub(crate) struct IntervalChange {
    name: Option<String>,
    zone: Option<Zone>,
    conditions: Option<Vec<Condition>>,
}

impl IntervalChange {
    pub(crate) fn of(fields: &Fields) -> Result<IntervalChange, ApiError> {
        let name = fields.text("name", TEXT_CHARS_MAX)?;
        if name.as_deref().is_some_and(|name| name.trim().is_empty()) {
            return Err(fields.invalid("name", "must not be empty"));
        }
        let zone = |text: &str| Zone::parse(text).ok_or("must be an IANA zone like Europe/Moscow");
        let conditions = fields.objects("conditions", limits::CONDITIONS_MAX)?;
        let conditions = conditions.map(|c| c.iter().map(condition).collect::<Result<_, _>>());
        Ok(IntervalChange {
            name,
            zone: fields.parsed("timezone", zone)?,
            conditions: conditions.transpose()?,
        })
    }

    pub(crate) fn begin(self) -> Result<Interval, ApiError> {
        let required = |field| ApiError::invalid(field, "is required");
        Ok(Interval {
            id: IntervalId(0),
            name: self.name.ok_or_else(|| required("name"))?.into(),
            zone: self.zone.ok_or_else(|| required("timezone"))?,
            conditions: self.conditions.ok_or_else(|| required("conditions"))?,
        })
    }

    pub(crate) fn apply(self, to: &mut Interval) {
        if let Some(name) = self.name {
            to.name = name.into();
        }
        if let Some(zone) = self.zone {
            to.zone = zone;
        }
        if let Some(conditions) = self.conditions {
            to.conditions = conditions;
        }
    }
}

fn condition(fields: &Fields) -> Result<Condition, ApiError> {
    let small = |name| -> Result<Option<u8>, ApiError> { number(fields, name, u8::MAX.into()) };
    let condition = Condition {
        days_of_week: pair(fields, "start_dow", small("start_dow")?, "end_dow", small("end_dow")?)?,
        days_of_month: {
            let (first, last) = (small("start_mday")?, small("end_mday")?);
            pair(fields, "start_mday", first, "end_mday", last)?
        },
        month: small("month")?,
        times: {
            let time = |name| parsed(fields, name, calendar::time);
            let (first, last): (Option<Time>, _) = (time("start_time")?, time("end_time")?);
            pair(fields, "start_time", first, "end_time", last)?
        },
        datetimes: {
            let datetime = |name| parsed(fields, name, calendar::datetime);
            let first: Option<DateTime> = datetime("start_datetime")?;
            let last = datetime("end_datetime")?;
            pair(fields, "start_datetime", first, "end_datetime", last)?
        },
        schedule: schedule(fields)?,
    };
    condition.check().map_err(|bad| match bad.field {
        "conditions" => fields.invalid("start_dow", "a condition must ask for something"),
        field => fields.invalid(field, bad.why),
    })?;
    Ok(condition)
}

fn schedule(fields: &Fields) -> Result<Option<Schedule>, ApiError> {
    let days = |name| -> Result<Option<u16>, ApiError> { number(fields, name, 3_660) };
    let start: Option<Date> = parsed(fields, "sched_start_date", calendar::date)?;
    let (active_days, skip_days) = (days("sched_active_days")?, days("sched_skip_days")?);
    let Some(start) = start else {
        return match active_days.or(skip_days) {
            Some(_) => Err(fields.invalid("sched_start_date", "is required by a schedule")),
            None => Ok(None),
        };
    };
    let active_days = active_days.unwrap_or(0);
    Ok(Some(Schedule { start, active_days, skip_days: skip_days.unwrap_or(0) }))
}

/// Fields that are set together.
fn pair<T>(
    fields: &Fields,
    first_name: &str,
    first: Option<T>,
    last_name: &str,
    last: Option<T>,
) -> Result<Option<(T, T)>, ApiError> {
    match (first, last) {
        (Some(first), Some(last)) => Ok(Some((first, last))),
        (None, None) => Ok(None),
        (Some(_), None) => {
            Err(fields.invalid(last_name, format_args!("is required with {first_name}")))
        }
        (None, Some(_)) => {
            Err(fields.invalid(first_name, format_args!("is required with {last_name}")))
        }
    }
}

/// A number; 0 is as good as nothing.
fn number<T: TryFrom<u64>>(fields: &Fields, name: &str, max: u64) -> Result<Option<T>, ApiError> {
    match fields.number_change(name, 0..=max)? {
        Change::Keep | Change::Empty | Change::To(0) => Ok(None),
        Change::To(n) => Ok(T::try_from(n).ok()),
    }
}

/// A text of the calendar; an empty one is as good as nothing.
fn parsed<T>(
    fields: &Fields,
    name: &str,
    parse: fn(&str) -> Result<T, &'static str>,
) -> Result<Option<T>, ApiError> {
    match fields.parsed_change(name, parse)? {
        Change::Keep | Change::Empty => Ok(None),
        Change::To(value) => Ok(Some(value)),
    }
}

impl PartialSchema for IntervalChange {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<IntervalBody>();
        object.description = Some("Fields of an interval that shall change.".to_owned());
        object.into()
    }
}

impl ToSchema for IntervalChange {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        IntervalBody::schemas(schemas);
    }
}

/// What an interval begins with, in the document.
pub(crate) enum NewIntervalBody {}

impl PartialSchema for NewIntervalBody {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<IntervalBody>();
        object.required = ["name", "timezone", "conditions"].map(str::to_owned).into();
        object.description = Some("What an interval begins with.".to_owned());
        object.into()
    }
}

impl ToSchema for NewIntervalBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewInterval".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        IntervalBody::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::properties;

    #[test]
    fn the_document_names_exactly_the_fields_that_are_read() {
        let fields = Fields::parse(b"{}").unwrap();
        IntervalChange::of(&fields).unwrap();
        assert_eq!(fields.asked(), properties::<IntervalChange>());
        let fields = Fields::parse(b"{}").unwrap();
        assert!(condition(&fields).is_err());
        assert_eq!(fields.asked(), properties::<ConditionBody>());
    }
}
