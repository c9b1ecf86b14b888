/* What stands at gmem0 and shares port B of the unified buffer, as its registers move:
 * systole_load, systole_store, systole_activate, systole_ub_port and their AXI masters,
 * cycle by cycle while rows move, and by whole bursts where nothing else is at port B.
 *
 * A step reads the registers as they stand in cycle t and writes what they are in t + 1.
 * Cycles in which nothing changes are left out: `next` is never later than the next
 * change that no other unit causes, and what others cause calls it (wake). */
#include <string.h>

#include "program/forecast_state.h"
#include "support/memory.h"

enum {
  kSlice = 2,    /* beats in a register slice */
  kPortRead = 3, /* read granted -> row among those read ahead */
  kRaw = 5,      /* last accumulator row of an output row asked for -> row may leave */
  kInt8 = 14,    /* the same for an int8 row */
  kResponse = 2, /* response on B -> its instruction's place is free after it */
  kPool = 3      /* cycles of a pool's products */
};

enum { kNothing, kOfInt8, kOfRaw }; /* what an activator offers */

static const copy *job_of(const jobs *j) {
  return j->finished == j->accepted ? NULL : &j->at[j->finished % kUnitJobs];
}

static int64_t start_of(const jobs *j) {
  return max64(j->start_at[j->finished % kUnitJobs], j->idle_from);
}

static void finish_job(jobs *j, int64_t t) {
  j->finished++;
  j->slot_at = t + 1;
  j->idle_from = t + 2;
}

static int64_t due_at(const channel *c) { return (c->due + c->unit - 1) / c->unit; }

/* A beat goes in cycle t. */
static void beat_goes(channel *c, int64_t t) {
  c->due = max64(c->due, t * c->unit - (t > 0 ? c->unit - 1 : 0)) + c->step;
  c->free = t + 1;
  c->beats++;
}

/* ---- asking --------------------------------------------------------------------------
 */

static copy read_copy(const forecaster *f, const systole_instruction *i) {
  copy c = {0};
  c.rows = (int64_t)SYSTOLE_GET(i, COPY_ROWS);
  c.lines = (int64_t)SYSTOLE_GET(i, COPY_LINES);
  c.blocks = (int64_t)SYSTOLE_GET(i, COPY_BLOCKS);
  c.before = (int64_t)SYSTOLE_GET(i, COPY_FILL_BEFORE);
  c.after = (int64_t)SYSTOLE_GET(i, COPY_FILL_AFTER);
  c.offset = (int64_t)SYSTOLE_GET(i, COPY_OFFSET);
  c.line_stride = SYSTOLE_GET_SIGNED(i, COPY_MEM_LINE_STRIDE);
  c.block_stride = SYSTOLE_GET_SIGNED(i, COPY_MEM_BLOCK_STRIDE);
  c.raw = (int)SYSTOLE_GET(i, COPY_RAW);
  const int64_t lanes = (int64_t)SYSTOLE_GET(i, COPY_RAW_LANES);
  c.row_bytes = !c.raw ? f->dim : 4 * (lanes > 0 ? lanes : f->dim);
  c.give = (unsigned)SYSTOLE_GET(i, GIVE);
  return c;
}

/* When there is room for another job; one that ended made room a cycle later, which only
 * matters where there was none. */
static int64_t room_at(const jobs *j) {
  const unsigned under_way = j->accepted - j->finished;
  if (under_way >= kUnitJobs) return kNever;
  return under_way == kUnitJobs - 1 ? j->slot_at : 0;
}

int64_t forecast_next_ask(const forecaster *f, const jobs *j, int unit, unsigned limit) {
  const asker *a = &j->ask;
  int64_t at = kNever;
  if (a->now_beats > 0) at = forecast_issue_at(a, limit);
  if (j->asking) {
    const copy *job = &j->at[(j->accepted - 1) % kUnitJobs];
    if (a->next_beats == 0 || job->rows == 0) at = a->at;
  } else {
    at = min64(at, max64(forecast_accept_at(f, unit), room_at(j)));
  }
  return at >= kNever ? kNever : max64(at, a->at);
}

/* The request of the next line; 0 beats: the line has no rows in memory. */
static void next_line(const forecaster *f, const jobs *j, int64_t *from, int64_t *beats) {
  const copy *job = &j->at[(j->accepted - 1) % kUnitJobs];
  *from = job->offset + j->block * job->block_stride + j->line * job->line_stride;
  *beats = systole_ceil_div(job->rows * job->row_bytes, f->axi);
}

void forecast_do_ask(forecaster *f, jobs *j, int unit, unsigned limit, int64_t now) {
  asker *a = &j->ask;
  int64_t from = 0, beats = 0;
  const int stepped = j->asking;
  if (j->asking) {
    next_line(f, j, &from, &beats);
    if (beats == 0 || a->next_beats == 0) {
      const copy *job = &j->at[(j->accepted - 1) % kUnitJobs];
      if (++j->line == job->lines) {
        j->line = 0;
        j->block++;
      }
      j->asking = j->block < job->blocks;
    } else {
      beats = 0;
    }
  }
  if (!stepped && room_at(j) <= now && forecast_accept_at(f, unit) <= now) {
    const unsigned n = j->accepted % kUnitJobs;
    j->at[n] = read_copy(f, forecast_accept(f, unit, now));
    j->start_at[n] = now + 2;
    j->accepted++;
    j->asking = 1;
    j->block = j->line = 0;
  }
  if (forecast_issue(f, a, now, limit, from, beats, 1)) {
    const unsigned burst = (a->issued - 1) % kRing; /* memory has it in the next cycle */
    a->beats[burst] = a->channel_beats;
    if (unit == SYSTOLE_UNIT_LOAD) {
      const int64_t first = forecast_answer(f, unit, now + 1, f->gmem0_read.latency,
                                            a->channel_from, a->channel_beats * f->axi);
      if (first < kNever) forecast_load_answered(f, first);
    } else {
      a->address_at[burst] = now + 1;
      a->accepted = a->issued;
      if (f->open != NULL) { /* sent when its last beat is */
        f->open->store_from[burst] = a->channel_from;
        f->open->store_bytes[burst] = a->channel_beats * f->axi;
      }
    }
  }
  a->at = now + 1;
  if (unit == SYSTOLE_UNIT_LOAD) {
    f->load_next = min64(f->load_next, max64(f->load.at, now + 1));
  } else {
    f->out_next = min64(f->out_next, max64(f->out_at, now + 1));
  }
}

/* ---- load ----------------------------------------------------------------------------
 */

void forecast_load_answered(forecaster *f, int64_t from) {
  asker *a = &f->load.jobs.ask;
  a->address_at[a->accepted++ % kRing] = from - f->gmem0_read.latency;
  f->load_next = min64(f->load_next, max64(f->load.at, from));
}

/* When memory may offer the next beat; kNever while its address is not known. */
static int64_t offer_at(const forecaster *f) {
  const loader *l = &f->load;
  if (l->arriving == l->jobs.ask.accepted) return kNever;
  const int64_t first =
      l->jobs.ask.address_at[l->arriving % kRing] + f->gmem0_read.latency;
  return max64(first, due_at(&f->gmem0_read));
}

static int is_data(const loader *l, const copy *job) {
  return l->row >= job->before && l->row < job->before + job->rows;
}

static int64_t next_load(const forecaster *f) {
  const loader *l = &f->load;
  const copy *job = job_of(&l->jobs);
  int64_t at = kNever;
  if (l->slice < kSlice) at = offer_at(f);
  if (l->running) {
    if (!is_data(l, job) || l->slice > 0) at = l->at;
  } else if (job != NULL) {
    at = min64(at, start_of(&l->jobs));
  }
  if (l->slice > 0 && l->parts + 1 < f->dim / f->axi) at = l->at;
  return at >= kNever ? kNever : max64(at, l->at);
}

/* A row of the job has gone into the buffer. Returns 1 for the last one. */
static int advance(forecaster *f, const copy *job, int64_t t) {
  loader *l = &f->load;
  if (++l->row < job->before + job->rows + job->after) return 0;
  l->row = 0;
  if (++l->line < job->lines) return 0;
  l->line = 0;
  if (++l->block < job->blocks) return 0;
  l->block = 0;
  l->running = 0;
  const unsigned gives = job->give;
  finish_job(&l->jobs, t);
  forecast_give(f, SYSTOLE_UNIT_LOAD, gives, t + 1);
  return 1;
}

/* One cycle. Returns 1 when other units may have something to do. */
static int load_step(forecaster *f, int64_t t) {
  loader *l = &f->load;
  const copy *job = job_of(&l->jobs);
  const int granted = f->port_taken != t;
  const int64_t slice = l->slice, parts_of_row = f->dim / f->axi;
  int others = 0, takes = 0;
  if (!l->running && job != NULL && t >= start_of(&l->jobs)) l->running = 1;
  const int data = l->running && is_data(l, job);
  const int ready = data && granted;
  if (slice > 0) {
    if (f->axi <= f->dim) {
      takes = l->parts + 1 < parts_of_row || ready;
    } else {
      takes = ready && (l->parts == 1 || l->row == job->before + job->rows - 1);
    }
  }
  const int whole = slice > 0 && (f->axi > f->dim || l->parts + 1 == parts_of_row);
  if (slice > 0) {
    if (f->axi <= f->dim) {
      if (takes) l->parts = whole ? 0 : l->parts + 1;
    } else if (ready) {
      l->parts = !takes;
    }
  }
  if (l->running && granted && (!data || whole)) others |= advance(f, job, t);
  if (takes) {
    asker *a = &l->jobs.ask;
    l->slice--;
    if (++l->taken == a->beats[l->taking % kRing]) {
      a->retired_at[l->taking % kRing] = t;
      a->retired = ++l->taking;
      l->taken = 0;
      others = 1;
    }
  }
  if (slice < kSlice && offer_at(f) <= t) {
    beat_goes(&f->gmem0_read, t);
    l->slice++;
    if (++l->arrived == l->jobs.ask.beats[l->arriving % kRing]) {
      l->arriving++;
      l->arrived = 0;
    }
  }
  l->at = t + 1;
  return others;
}

/* Whether an instruction in a unit's queue uses port B. */
static int waits_for_port(const forecaster *f, int unit) {
  const queue *q = &f->queues[unit];
  for (int n = 0; n < q->count; n++) {
    const systole_instruction *i =
        &f->instructions[q->at[(q->head + n) % SYSTOLE_QUEUE_DEPTH]];
    const int raw = unit == SYSTOLE_UNIT_STORE ? (int)SYSTOLE_GET(i, COPY_RAW)
                                               : (int)SYSTOLE_GET(i, ACTIVATE_RAW);
    if (!raw) return 1;
  }
  return 0;
}

/* Last cycle up to which port B is certainly load's. */
static int64_t port_free_until(const forecaster *f, int64_t horizon) {
  const jobs *stores = &f->store.jobs;
  if (f->port_taken == f->load_next) return f->load_next - 1;
  int uses = f->activate.int8_jobs > 0;
  for (unsigned n = stores->finished; n != stores->accepted; n++) {
    uses |= !stores->at[n % kUnitJobs].raw;
  }
  if (uses) return min64(horizon, f->out_next - 1);
  if (waits_for_port(f, SYSTOLE_UNIT_ACTIVATE) || waits_for_port(f, SYSTOLE_UNIT_STORE)) {
    return min64(horizon, f->out_next);
  }
  return horizon;
}

/* Many beats of one burst, each taken in the cycle after it came, up to `until`; not the
 * last row of a line, nor the first beat of a burst. Returns 0 when there are none. */
static int load_many(forecaster *f, int64_t t, int64_t until) {
  loader *l = &f->load;
  const copy *job = job_of(&l->jobs);
  channel *c = &f->gmem0_read;
  if (!l->running || l->slice > 1 || f->axi > f->dim || l->arriving != l->taking ||
      !is_data(l, job)) {
    return 0;
  }
  const int64_t parts = f->dim / f->axi;
  const int64_t first = max64(t, offer_at(f));
  if (first > until) return 0; /* also while there is no burst */
  const int64_t base = max64(c->due, first * c->unit - (c->unit - 1));
  int64_t beats = l->jobs.ask.beats[l->arriving % kRing] - l->arrived;
  const int64_t rows = job->before + job->rows - l->row; /* of the line left */
  beats = min64(beats, rows * parts - l->parts - l->slice);
  beats = min64(beats, (until * c->unit - base) / c->step + 1);
  if (beats < 3) return 0;
  const int64_t taken = l->slice + beats - 1;
  l->row += (l->parts + taken) / parts;
  l->parts = (l->parts + taken) % parts;
  l->taken += taken;
  l->slice = 1;
  l->arrived += beats;
  if (l->arrived == l->jobs.ask.beats[l->arriving % kRing]) {
    l->arriving++;
    l->arrived = 0;
  }
  const int64_t last = (base + (beats - 1) * c->step + c->unit - 1) / c->unit;
  c->due = base + beats * c->step;
  c->free = last + 1;
  c->beats += beats;
  l->at = last + 1;
  return 1;
}

/* ---- activation unit and store -------------------------------------------------------
 */

static int64_t waiting_answers(const storer *s) {
  return (int64_t)(s->pushed - s->freed);
}

/* Next cycle in which they may do something, from out_at on. */
static int64_t next_out(const forecaster *f) {
  const storer *s = &f->store;
  const activator *a = &f->activate;
  const copy *job = job_of(&s->jobs);
  const int64_t n = f->out_at;
  const int64_t rows = (int64_t)(a->begun - a->gone);
  int64_t at = kNever;
  if (s->slice > 0) at = due_at(&f->gmem0_write);
  if (s->row_valid && !s->beat_valid) return n;
  if (s->beat_valid && s->slice < kSlice && s->sending != s->jobs.ask.accepted) {
    at = min64(at, s->jobs.ask.address_at[s->sending % kRing]);
  }
  if (!s->running) {
    if (job != NULL) at = min64(at, start_of(&s->jobs));
  } else {
    int64_t take = kNever;
    if (s->reads_left > 0 && s->reads - s->reads_used < kStoreAhead) return n;
    if (job->raw) {
      if (a->offered == kOfRaw) take = n;
    } else if (s->reads != s->reads_used) {
      take = s->read_at[s->reads_used % kReads] + kPortRead;
    }
    if (waiting_answers(s) >= kStoreAnswers) {
      take = s->freed == s->answered ? kNever
                                     : max64(take, s->answered_at[s->freed % kRing] + 1);
    }
    if (!s->row_valid) at = min64(at, take);
  }
  if (a->row.valid && (!a->next.valid || a->ready != kPool)) return n;
  if (!a->row.valid) at = min64(at, forecast_accept_at(f, SYSTOLE_UNIT_ACTIVATE));
  if (a->now.valid && rows < a->slots) {
    if (!a->now.empty && forecast_in_flight(f, a->now.half, n)) {
      at = min64(at, f->flight_to[a->now.half] + 1);
    } else if (!(a->now.head && a->element_first && a->now.add && rows > 0)) {
      return n;
    }
  }
  if (a->offered == kOfInt8) return n;
  if (a->offered == kNothing && a->left_slots != a->begun) {
    at = min64(at, a->filled_at[a->left_slots % kSlots]);
  }
  return at >= kNever ? kNever : max64(at, n);
}

static int64_t visible(int64_t edge, int64_t rest, int64_t window) {
  return min64(rest, window) + min64(edge, 0);
}

static void accept_activate(forecaster *f, int64_t t) {
  activator *a = &f->activate;
  const systole_instruction *i = forecast_accept(f, SYSTOLE_UNIT_ACTIVATE, t);
  const int pool = SYSTOLE_GET(i, ACTIVATE_POOL) != SYSTOLE_POOL_NONE;
  const int64_t rows0 = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS0);
  const int64_t rows1 = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS1);
  const int64_t height = pool ? (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_IN_HEIGHT) : rows1;
  const int64_t top = pool ? (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_PAD_TOP) : 0;
  a->row = (place){.valid = 1, .head = 1};
  a->row.raw = (int)SYSTOLE_GET(i, ACTIVATE_RAW);
  a->row.sum = SYSTOLE_GET(i, ACTIVATE_POOL) == SYSTOLE_POOL_AVERAGE;
  a->row.add = (int)SYSTOLE_GET(i, ACTIVATE_RESIDUAL);
  a->row.half =
      (int64_t)SYSTOLE_GET(i, ACTIVATE_ACC_ROW) >= (int64_t)f->geometry->acc_rows / 2;
  a->row.give = (unsigned)SYSTOLE_GET(i, GIVE);
  a->x = a->count = rows0;
  a->y = rows1;
  a->ready = pool ? 0 : kPool;
  a->width = pool ? (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_IN_WIDTH) : rows0;
  a->pad = pool ? (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_PAD_LEFT) : 0;
  a->window_w = pool ? (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_WIDTH) : 1;
  a->window_h = pool ? (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_HEIGHT) : 1;
  a->stride_w = pool ? (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_STRIDE_W) : 1;
  a->stride_h = pool ? (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_STRIDE_H) : 1;
  a->left = -a->pad;
  a->right = a->width + a->pad;
  a->top = -top;
  a->bottom = height + top;
  a->int8_jobs += !a->row.raw;
}

/* The position leaves for its elements. */
static place step_position(activator *a) {
  place p = a->row;
  p.line = visible(a->left, a->right, a->window_w);
  p.lines = visible(a->top, a->bottom, a->window_h);
  p.empty = p.line <= 0 || p.lines <= 0;
  p.tail = a->x == 1 && a->y == 1;
  a->row.head = 0;
  if (a->x != 1) {
    a->x--;
    a->left += a->stride_w;
    a->right -= a->stride_w;
  } else {
    a->x = a->count;
    a->y--;
    a->left = -a->pad;
    a->right = a->width + a->pad;
    a->top += a->stride_h;
    a->bottom -= a->stride_h;
  }
  if (p.tail) a->row.valid = 0;
  return p;
}

/* The next element, or the next output row when `done`. */
static void next_element(activator *a, int started, int done, const place *stepped) {
  if (!a->now.valid || done) {
    if (a->next.valid) {
      a->now = a->next;
      a->next.valid = 0;
    } else if (stepped->valid) {
      a->now = *stepped;
    } else {
      a->now.valid = 0;
    }
    a->element_first = 1;
    a->element = a->now.line;
    return;
  }
  if (stepped->valid) a->next = *stepped;
  if (!started) return;
  a->element_first = 0;
  if (--a->element > 0) return;
  a->element = a->now.line;
  a->now.lines--;
}

typedef struct wires { /* of one cycle: who uses port B, what moves */
  int store_reads, residual, starts, row_done, taken, leaves;
} wires;

static wires look(const forecaster *f, int64_t t, int store_reads, int raw_ready) {
  const activator *a = &f->activate;
  const place *q = &a->now;
  const int64_t rows = (int64_t)(a->begun - a->gone);
  wires w = {.store_reads = store_reads};
  if (q->valid && rows < a->slots && (q->empty || !forecast_in_flight(f, q->half, t)) &&
      !(q->head && a->element_first && q->add && rows > 0)) {
    w.row_done = q->empty || (a->element == 1 && q->lines == 1);
    w.residual = q->add && (q->sum ? w.row_done : a->element_first);
    w.starts = !w.residual || !store_reads;
    w.row_done &= w.starts;
  }
  w.taken = a->offered == kOfInt8 ? !store_reads && !w.residual
                                  : a->offered == kOfRaw && raw_ready;
  w.leaves = a->left_slots != a->begun && a->filled_at[a->left_slots % kSlots] <= t &&
             (w.taken || a->offered == kNothing);
  return w;
}

/* One cycle of the activation unit. Returns 1 when other units may have something to do.
 */
static int activate_step(forecaster *f, const wires *w, int64_t t) {
  activator *a = &f->activate;
  int others = 0, late = 0;
  place stepped = {0};
  const int steps = a->row.valid && !a->next.valid && (a->x != 1 || a->ready == kPool);
  const int accepts = forecast_accept_at(f, SYSTOLE_UNIT_ACTIVATE) <= t &&
                      (!a->row.valid || (steps && a->x == 1 && a->y == 1));
  if (w->row_done) {
    const unsigned slot = a->begun++ % kSlots;
    a->filled_at[slot] = t + (a->now.raw ? kRaw : kInt8);
    a->slot_raw[slot] = a->now.raw;
    a->slot_tail[slot] = a->now.tail;
    a->slot_give[slot] = a->now.give;
    if (a->now.tail && a->now.raw && a->late == 0) {
      /* The half has been read; the rows leave as the store takes them. */
      a->slot_tail[slot] = 0;
      forecast_give(f, SYSTOLE_UNIT_ACTIVATE, a->now.give, t + 1);
      others = 1;
    } else {
      late += a->now.tail;
    }
  }
  if (w->taken) {
    a->gone++;
    if (a->out_tail) {
      a->int8_jobs -= a->offered == kOfInt8;
      late--;
      forecast_give(f, SYSTOLE_UNIT_ACTIVATE, a->out_give, t + 1);
      others = 1;
    }
    a->offered = kNothing;
  }
  if (w->leaves) {
    const unsigned slot = a->left_slots++ % kSlots;
    a->offered = a->slot_raw[slot] ? kOfRaw : kOfInt8;
    a->out_tail = a->slot_tail[slot];
    a->out_give = a->slot_give[slot];
  }
  a->late += late;
  if (a->row.valid && a->ready != kPool) a->ready++;
  if (steps) stepped = step_position(a);
  next_element(a, w->starts, w->row_done, &stepped);
  if (accepts) {
    accept_activate(f, t);
    others = 1;
  }
  return others;
}

/* The row's next part becomes the beat in front of the port. */
static void part_step(storer *s) {
  s->beat_valid = 1;
  s->beat_end = s->row_end && s->part == s->last_part;
  s->beat_give = s->row_give;
  if (s->part++ == s->last_part) s->row_valid = 0;
}

/* A row of the job goes into the row register. Returns 1 for the job's last. */
static int take_row(forecaster *f, const copy *job, int64_t t) {
  storer *s = &f->store;
  const int line_end = s->left_line == 1;
  const int two = !job->raw && f->axi > f->dim; /* rows in a beat */
  const int last = line_end && s->left_lines == 1;
  s->row_valid = !two || s->half || line_end;
  s->half = two && !s->half && !line_end;
  s->part = 0;
  s->last_part = max64(job->row_bytes / f->axi, 1) - 1;
  s->row_end = last;
  s->row_give = job->give;
  if (!job->raw) s->reads_used++;
  if (--s->left_line == 0) {
    s->left_line = job->rows;
    s->left_lines--;
  }
  if (!last) return 0;
  s->running = 0;
  finish_job(&s->jobs, t);
  return 1;
}

/* The beat goes into the slice of the port. */
static void send_beat(storer *s) {
  const unsigned burst = s->sending % kRing;
  if (++s->sent == s->jobs.ask.beats[burst]) {
    s->ends[burst] = s->beat_end;
    s->gives[burst] = s->beat_give;
    s->pushed += (unsigned)s->beat_end;
    s->sending++;
    s->sent = 0;
  }
  s->beat_valid = 0;
  s->beat_end = 0;
}

void forecast_store_answered(forecaster *f, int64_t response) {
  storer *s = &f->store;
  const unsigned burst = s->jobs.ask.retired++ % kRing;
  s->jobs.ask.retired_at[burst] = response;
  if (!s->ends[burst]) return;
  s->answered_at[s->answered++ % kRing] = response + kResponse;
  forecast_give(f, SYSTOLE_UNIT_STORE, s->gives[burst], response + kResponse + 1);
}

/* Memory takes a beat. Returns 1 for the last one of a burst. */
static int write_beat(forecaster *f, int64_t t) {
  storer *s = &f->store;
  const unsigned burst = s->leaving % kRing;
  beat_goes(&f->gmem0_write, t);
  s->slice--;
  if (++s->left < s->jobs.ask.beats[burst]) return 0;
  s->leaving++;
  s->left = 0;
  int64_t response = t + f->gmem0_write.latency;
  if (f->open != NULL) {
    response = forecast_answer(f, SYSTOLE_UNIT_STORE, t, f->gmem0_write.latency,
                               f->open->store_from[burst], f->open->store_bytes[burst]);
  }
  if (response < kNever) forecast_store_answered(f, response);
  return 1;
}

/* One cycle of both. Returns 1 when other units may have something to do. */
static int out_step(forecaster *f, int64_t t) {
  storer *s = &f->store;
  activator *a = &f->activate;
  const copy *job = job_of(&s->jobs);
  int others = 0;
  if (!s->running && job != NULL && t >= start_of(&s->jobs)) {
    s->running = 1;
    s->left_line = job->rows;
    s->left_lines = job->lines * job->blocks;
    s->reads_left = job->raw ? 0 : job->rows * s->left_lines;
  }
  while (s->freed != s->answered && s->answered_at[s->freed % kRing] < t) s->freed++;
  const int writes = s->slice > 0 && due_at(&f->gmem0_write) <= t;
  const int port_ready = s->slice < kSlice && s->sending != s->jobs.ask.accepted &&
                         s->jobs.ask.address_at[s->sending % kRing] <= t;
  const int sends = s->beat_valid && port_ready;
  const int part_moves = s->row_valid && (!s->beat_valid || port_ready);
  const int room = s->running &&
                   (!s->row_valid || (part_moves && s->part == s->last_part)) &&
                   waiting_answers(s) < kStoreAnswers;
  const int raw_ready = room && job->raw;
  const int takes_ub = room && !job->raw && s->reads != s->reads_used &&
                       s->read_at[s->reads_used % kReads] + kPortRead <= t;
  const int reads =
      s->running && s->reads_left > 0 && s->reads - s->reads_used < kStoreAhead;
  const wires w = look(f, t, reads, raw_ready);
  const int takes_raw = raw_ready && a->offered == kOfRaw;
  if (reads || w.residual || a->offered == kOfInt8) f->port_taken = t;
  others |= activate_step(f, &w, t);
  if (reads) {
    s->read_at[s->reads++ % kReads] = t;
    s->reads_left--;
  }
  if (writes) others |= write_beat(f, t);
  if (sends) {
    send_beat(s);
    s->slice++;
  }
  if (part_moves) part_step(s);
  if (takes_ub || takes_raw) others |= take_row(f, job, t);
  f->out_at = t + 1;
  return others;
}

/* ---- both ----------------------------------------------------------------------------
 */

int64_t forecast_next_move(const forecaster *f) {
  return min64(f->out_next, f->load_next);
}

void forecast_do_move(forecaster *f, int64_t now, int64_t horizon) {
  int others = 0;
  for (int64_t t = now; t <= horizon && !others; t = forecast_next_move(f)) {
    if (t >= kNever) break;
    if (f->out_next == t) {
      f->out_next = kNever; /* what is given in the step may wake it */
      others |= out_step(f, t);
      f->out_next = next_out(f);
    }
    if (f->load_next == t) {
      if (!load_many(f, t, port_free_until(f, horizon))) others |= load_step(f, t);
      f->load_next = next_load(f);
    }
  }
}

int forecast_moved_all(const forecaster *f) {
  const activator *a = &f->activate;
  return job_of(&f->load.jobs) == NULL && job_of(&f->store.jobs) == NULL &&
         !f->store.row_valid && !f->store.beat_valid &&
         f->store.pushed == f->store.answered && !a->row.valid && !a->now.valid &&
         a->begun == a->gone;
}
