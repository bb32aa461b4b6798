//! The machine against a model of Redis, of an org and of a product, with crashes and lost answers, from seeds.

mod ahead;
mod answers;
mod bench;
mod bounds;
mod heard;
mod identity;
mod letters;
mod lives;
mod log_lengths;
mod model_answers;
mod model_org;
mod model_plan;
mod model_product;
mod model_store;
mod people;
mod rules;
mod seeds;
mod seen;
mod story;
mod told;
mod world;
