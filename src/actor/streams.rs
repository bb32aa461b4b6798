//! How a shard routes between its tenants' machines and their change streams.

use std::sync::Arc;

use actix::{AsyncContext, Context, Handler};

use super::messages::{NextEvents, StreamNews, StreamTold, Subscribe};
use super::shard::Shard;
use super::stream::{StreamSlot, StreamTask, Told};

impl Handler<Subscribe> for Shard {
    type Result = ();
    fn handle(&mut self, wanted: Subscribe, ctx: &mut Context<Self>) {
        let now = self.deps.clock.now();
        let Some(row) = self.rows.get_mut(&wanted.tenant) else {
            return;
        };
        let Some(connection) = row.state.connection().filter(|c| c.generation == wanted.generation) else {
            return;
        };
        let resumed = row
            .stream
            .as_mut()
            .and_then(|s| s.resume(wanted.after.as_ref(), wanted.life, now));
        if let Some(held) = resumed {
            for news in held {
                connection.addr.do_send(StreamNews {
                    life: wanted.life,
                    news,
                });
            }
            return;
        }
        // The old stream, if there is one, ends before the new one begins: never two a tenant.
        row.stream = None;
        self.generations += 1;
        let generation = self.generations;
        let task = StreamTask {
            spec: Arc::clone(&row.spec),
            generation,
            shard: ctx.address().recipient(),
            telemetry: Arc::clone(&self.deps.telemetry),
            dice: Arc::clone(&self.deps.dice),
        };
        row.stream = Some(StreamSlot::open(task, wanted.after, wanted.life, now));
    }
}

impl Handler<NextEvents> for Shard {
    type Result = ();
    fn handle(&mut self, wanted: NextEvents, _: &mut Context<Self>) {
        if let Some(row) = self.rows.get_mut(&wanted.tenant)
            && row.is_current(wanted.generation)
            && let Some(stream) = &mut row.stream
        {
            stream.next(Some(wanted.life));
        }
    }
}

impl Handler<StreamTold> for Shard {
    type Result = ();
    fn handle(&mut self, told: StreamTold, ctx: &mut Context<Self>) {
        let now = self.deps.clock.now();
        let Some(row) = self.rows.get_mut(&told.tenant) else {
            return;
        };
        let Some(stream) = row.stream.as_mut().filter(|s| s.generation == told.generation) else {
            return;
        };
        match stream.told(told.news, now) {
            Told::Deliver(life, news) => {
                if let Some(connection) = row.state.connection() {
                    connection.addr.do_send(StreamNews { life, news });
                }
            }
            Told::Wake => self.wake(&told.tenant, ctx),
            Told::Passed => {}
        }
    }
}
