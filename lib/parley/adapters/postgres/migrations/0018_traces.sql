-- Where a request or an attempt was last taken: the trace context of the span, so that the next one is linked to it.
-- Everything here is added: older code runs on, and writes neither.

alter table requests add column taken_in text;
alter table delivery_attempts add column traceparent text;

comment on column requests.traceparent is 'W3C trace context: traceparent and, after a space, tracestate';
