//! The plain types of crates whose types people pass most, each crate behind a feature of its name.
//!
//! Only this crate can implement its trait for them. Each travels as its crate's own serde implementation writes it;
//! containers demand of their content what std's demand of theirs.

#[allow(unused_imports, reason = "used by every feature")]
use super::SpawnSafe;

#[allow(unused_macros, reason = "used by every feature")]
macro_rules! plain {
    ($feature:literal: $($type:ty),* $(,)?) => {$( #[cfg(feature = $feature)] impl SpawnSafe for $type {} )*};
}

plain!("bytes": bytes::Bytes, bytes::BytesMut);
plain! {
    "chrono": chrono::NaiveDate, chrono::NaiveTime, chrono::NaiveDateTime, chrono::TimeDelta, chrono::Weekday,
    chrono::Month,
}
plain!("rust_decimal": rust_decimal::Decimal);
plain!("semver": semver::Version, semver::VersionReq, semver::Comparator);
plain!("serde_json": serde_json::Value, serde_json::Number, serde_json::Map<String, serde_json::Value>);
plain! {
    "time": time::Date, time::Time, time::PrimitiveDateTime, time::OffsetDateTime, time::UtcDateTime, time::UtcOffset,
    time::Duration, time::Weekday, time::Month,
}
plain!("url": url::Url, url::Host);
plain!("uuid": uuid::Uuid, uuid::NonNilUuid);

/// For the time zones that chrono can read: `Utc`, `FixedOffset`, `Local`.
#[cfg(feature = "chrono")]
impl<Tz: chrono::TimeZone + 'static> SpawnSafe for chrono::DateTime<Tz> where
    Self: serde::Serialize + serde::de::DeserializeOwned
{
}

#[cfg(feature = "indexmap")]
impl<K, V, S> SpawnSafe for indexmap::IndexMap<K, V, S>
where
    K: SpawnSafe + Eq + std::hash::Hash,
    V: SpawnSafe,
    S: std::hash::BuildHasher + Default + 'static,
{
}

#[cfg(feature = "indexmap")]
impl<T, S> SpawnSafe for indexmap::IndexSet<T, S>
where
    T: SpawnSafe + Eq + std::hash::Hash,
    S: std::hash::BuildHasher + Default + 'static,
{
}

#[cfg(feature = "smallvec")]
impl<A: smallvec::Array<Item: SpawnSafe> + 'static> SpawnSafe for smallvec::SmallVec<A> {}
