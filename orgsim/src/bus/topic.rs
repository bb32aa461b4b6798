//! What a topic name selects.

use std::sync::Arc;

use super::channel::Channel;
use super::event::Event;

/// A topic that can be subscribed to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Topic {
    /// `/data/ChangeEvents`: all captured objects.
    All,
    /// `/data/AccountChangeEvent`, `/data/Visit__ChangeEvent`: one object, by its API name.
    Entity(String),
    /// A custom channel: all captured objects, enriched with the key, merged events taken apart.
    Enriched,
    /// A custom channel that an admin has made.
    Channel(Arc<Channel>),
}

/// The custom channel of an org's event package.
const CHANNEL: &str = "/data/Tandem__chn";

impl Topic {
    /// The topic called `name`, None for names that no change-event topic has.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if name == CHANNEL {
            return Some(Self::Enriched);
        }
        let event = name.strip_prefix("/data/")?;
        if event == "ChangeEvents" {
            return Some(Self::All);
        }
        match event.strip_suffix("__ChangeEvent") {
            Some(stem) => Some(Self::Entity(format!("{stem}__c"))),
            None => event
                .strip_suffix("ChangeEvent")
                .map(|entity| Self::Entity(entity.to_owned())),
        }
        .filter(|topic| !matches!(topic, Self::Entity(entity) if entity.is_empty() || entity == "__c"))
    }

    /// Whether an event is on the topic.
    pub(crate) fn selects(&self, event: &Event) -> bool {
        let entity = &event.schema.entity;
        match self {
            Self::Entity(only) => only == entity,
            Self::All | Self::Enriched => true,
            Self::Channel(channel) => {
                (channel.entities.is_empty() || channel.entities.contains(entity))
                    && channel
                        .filter
                        .as_ref()
                        .is_none_or(|filter| filter.passes(&|subject| event.value(subject)))
            }
        }
    }

    /// Whether merged events come apart, and updates and deletes carry the key.
    pub(crate) fn is_enriched(&self) -> bool {
        match self {
            Self::Enriched => true,
            Self::Channel(channel) => channel.enriched,
            Self::All | Self::Entity(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_names_are_those_of_the_change_data_capture_guide() {
        for (name, topic) in [
            ("/data/ChangeEvents", Some(Topic::All)),
            ("/data/AccountChangeEvent", Some(Topic::Entity("Account".into()))),
            ("/data/Visit__ChangeEvent", Some(Topic::Entity("Visit__c".into()))),
            ("/data/Tandem__chn", Some(Topic::Enriched)),
            ("/data/Other__chn", None),
            ("/data/ChangeEvent", None),
            ("/data/__ChangeEvent", None),
            ("/event/Order__e", None),
            ("AccountChangeEvent", None),
            ("", None),
        ] {
            assert_eq!(Topic::parse(name), topic, "{name}");
        }
    }
}
