//! What is there with a feature only. Where that is not switched on, a method of the same name stands in its place, with a
//! bound that nothing meets: so rustc says which feature it is, and not that there is no such method.

#[cfg(not(feature = "tokio"))]
#[diagnostic::on_unimplemented(
    message = "this needs the feature `tokio` of spawnsafe, which is not switched on",
    label = "there with the feature `tokio`",
    note = "in Cargo.toml: `spawnsafe = {{ version = \"…\", features = [\"tokio\"] }}`"
)]
pub trait FeatureTokio<'never> {}

#[cfg(not(feature = "progress"))]
#[diagnostic::on_unimplemented(
    message = "this needs the feature `progress` of spawnsafe, which is not switched on",
    label = "there with the feature `progress`",
    note = "in Cargo.toml: `spawnsafe = {{ version = \"…\", features = [\"progress\"] }}`"
)]
pub trait FeatureProgress<'never> {}

#[cfg(not(feature = "tracing"))]
#[diagnostic::on_unimplemented(
    message = "this needs the feature `tracing` of spawnsafe, which is not switched on",
    label = "there with the feature `tracing`",
    note = "in Cargo.toml: `spawnsafe = {{ version = \"…\", features = [\"tracing\"] }}`"
)]
pub trait FeatureTracing<'never> {}
