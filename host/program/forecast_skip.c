/* One list of the state, visit(), serves two purposes: it makes a fingerprint of all that
 * can still matter, with times taken relative to now and counts relative to each other,
 * and it moves the state ahead. So a field cannot be in one and not in the other.
 *
 * Fingerprints are 128 bits of two independent hashes: two different states share one
 * with a probability of some 10^-30 for the longest stream. */
#include "program/forecast_skip.h"

#include <assert.h>
#include <string.h>

#include "support/memory.h"

enum {
  kLeastInstructions = 48, /* below, all events cost less than looking for a period */
  kFewLines = 64,
  kPage = 4096, /* no burst crosses it, nor 256 beats: bursts depend on addresses modulo
                   the smaller of the two */
  kPast = 64,   /* cycles that a time in the past may still be looked at, beside latency
                   and what the array takes */
  kMostCounts = 128,
  kMostRecords = 1 << 12,
  kEndOfStream = 2 * SYSTOLE_QUEUE_DEPTH + 16 /* instructions that are never skipped */
};

typedef struct fingerprint {
  uint64_t a, b;
} fingerprint;

typedef struct record { /* of the state before a MATMUL was accepted */
  fingerprint print;
  int64_t now, rows_left, rows_asked;
  uint32_t popped;
  int used;
  uint32_t queued[SYSTOLE_UNITS][SYSTOLE_QUEUE_DEPTH]; /* instructions, head first */
  int64_t counts[kMostCounts];
} record;

struct systole_skip {
  const systole_geometry *geometry;
  uint32_t count;
  uint32_t *kinds; /* equal for instructions that cost the same wherever they stand */
  record *records; /* by fingerprint, open addressing */
  uint32_t room, used;
};

/* ---- kinds of instructions
 * --------------------------------------------------------------------- */

static void mix(fingerprint *print, uint64_t value) {
  print->a = (print->a ^ value) * UINT64_C(0x9e3779b97f4a7c15);
  print->a ^= print->a >> 29;
  print->b = (print->b + value) * UINT64_C(0xd6e8feb86659fd93);
  print->b ^= print->b >> 32;
}

static int same(fingerprint x, fingerprint y) { return x.a == y.a && x.b == y.b; }

/* Bursts of `bytes` from `from` on depend on where in its page that is: 0 for all places
 * from which they do not cross into the next. */
static int64_t place_in_page(int64_t from, int64_t bytes, int64_t page) {
  const int64_t in_page = from & (page - 1);
  return in_page + bytes <= page ? 0 : in_page;
}

/* Where bursts end: multiples of so many bytes. */
static int64_t page_of(const systole_geometry *geometry) {
  const int64_t most = 256 * (int64_t)geometry->axi_bytes;
  return most < kPage ? most : kPage;
}

/* Whether a line of a copy crosses a page; more than kFewLines count as if one did. */
static int crosses(const systole_instruction *i, int64_t bytes, int64_t page) {
  const int64_t offset = (int64_t)SYSTOLE_GET(i, COPY_OFFSET);
  const int64_t lines = (int64_t)SYSTOLE_GET(i, COPY_LINES);
  const int64_t blocks = (int64_t)SYSTOLE_GET(i, COPY_BLOCKS);
  const int64_t line = SYSTOLE_GET_SIGNED(i, COPY_MEM_LINE_STRIDE);
  const int64_t block = SYSTOLE_GET_SIGNED(i, COPY_MEM_BLOCK_STRIDE);
  if ((lines == 1 || line % page == 0) && (blocks == 1 || block % page == 0)) {
    return place_in_page(offset, bytes, page) != 0;
  }
  if (lines * blocks > kFewLines) return 1;
  for (int64_t b = 0; b < blocks; b++) {
    for (int64_t l = 0; l < lines; l++) {
      if (place_in_page(offset + b * block + l * line, bytes, page) != 0) return 1;
    }
  }
  return 0;
}

static void place_copy(systole_instruction *i, const systole_geometry *geometry) {
  const int64_t bytes = (int64_t)SYSTOLE_GET(i, COPY_ROWS) * geometry->dim *
                        (SYSTOLE_GET(i, COPY_RAW) ? 4 : 1);
  const int64_t page = page_of(geometry);
  const int64_t whole_beats = systole_ceil_div(bytes, geometry->axi_bytes);
  const int64_t mask = crosses(i, whole_beats * geometry->axi_bytes, page) ? page - 1 : 0;
  SYSTOLE_SET(i, COPY_OFFSET, (int64_t)SYSTOLE_GET(i, COPY_OFFSET) & mask);
  SYSTOLE_SET(i, COPY_MEM_LINE_STRIDE,
              (int64_t)SYSTOLE_GET(i, COPY_MEM_LINE_STRIDE) & mask);
  SYSTOLE_SET(i, COPY_MEM_BLOCK_STRIDE,
              (int64_t)SYSTOLE_GET(i, COPY_MEM_BLOCK_STRIDE) & mask);
  SYSTOLE_SET(i, COPY_UB_ROW, 0);
}

static void place_weights(systole_instruction *i, const systole_geometry *geometry) {
  const int64_t bytes =
      SYSTOLE_GET(i, WEIGHTS_PARAMS)
          ? (int64_t)SYSTOLE_PARAM_BYTES * geometry->dim
          : (int64_t)SYSTOLE_GET(i, WEIGHTS_TILES) * geometry->dim * geometry->dim;
  SYSTOLE_SET(
      i, WEIGHTS_OFFSET,
      place_in_page((int64_t)SYSTOLE_GET(i, WEIGHTS_OFFSET), bytes, page_of(geometry)));
}

static int64_t half_of(uint64_t acc_row, const systole_geometry *geometry) {
  return acc_row >= geometry->acc_rows / 2;
}

/* The instruction without what its time does not depend on: rows of the unified buffer,
 * which accumulator row of a half, which page of memory. */
static fingerprint kind_of(systole_instruction i, const systole_geometry *geometry) {
  switch ((int)SYSTOLE_GET(&i, OPCODE)) {
    case SYSTOLE_OP_LOAD:
    case SYSTOLE_OP_STORE:
      place_copy(&i, geometry);
      break;
    case SYSTOLE_OP_WEIGHTS:
      place_weights(&i, geometry);
      break;
    case SYSTOLE_OP_MATMUL:
      SYSTOLE_SET(&i, MATMUL_UB_ROW, 0);
      SYSTOLE_SET(&i, MATMUL_ACC_ROW, half_of(SYSTOLE_GET(&i, MATMUL_ACC_ROW), geometry));
      break;
    case SYSTOLE_OP_ACTIVATE:
      SYSTOLE_SET(&i, ACTIVATE_UB_ROW, 0);
      SYSTOLE_SET(&i, ACTIVATE_RES_ROW, 0);
      SYSTOLE_SET(&i, ACTIVATE_ACC_ROW,
                  half_of(SYSTOLE_GET(&i, ACTIVATE_ACC_ROW), geometry));
      break;
    default:
      break;
  }
  fingerprint print = {1, 2};
  for (size_t at = 0; at < sizeof i.bytes; at += 8) {
    uint64_t word;
    memcpy(&word, &i.bytes[at], sizeof word);
    mix(&print, word);
  }
  return print;
}

/* ---- the state
 * ---------------------------------------------------------------------------------- */

typedef struct walk {
  /* Making a fingerprint, or (moving) advancing by `periods` of `period` cycles and of
   * `since`'s counts. */
  int moving;
  const uint32_t *kinds;
  fingerprint print;
  int64_t now, floor; /* times before `floor` are all alike */
  int64_t ahead;      /* cycles */
  int64_t periods;
  const int64_t *since;      /* counts a period ago */
  int stands[SYSTOLE_UNITS]; /* the queue holds what it held then, nothing came or went */
  int64_t counts[kMostCounts];
  int count;
} walk;

/* A value that a shift in time leaves as it is. */
static void value(walk *w, int64_t x) {
  if (!w->moving) mix(&w->print, (uint64_t)x);
}

static void time_at(walk *w, int64_t *t) {
  if (w->moving) {
    if (*t < kNever) *t += w->ahead;
    return;
  }
  mix(&w->print,
      *t >= kNever ? UINT64_MAX : (uint64_t)((*t > w->floor ? *t : w->floor) - w->now));
}

/* A count since the start; returns by how much it moves. Its size does not matter, what
 * lies between it and others is told with value(). */
static int64_t count_of(walk *w, int64_t now) {
  const int at = w->count++;
  w->counts[at] = now;
  return w->moving ? w->periods * (now - w->since[at]) : 0;
}

/* Counts of the three types that the state has; each yields by how much it moved. */
static int64_t count_long(walk *w, int64_t *x) {
  const int64_t by = count_of(w, *x);
  *x += by;
  return by;
}

static int64_t count_unsigned(walk *w, unsigned *x) {
  const int64_t by = count_of(w, *x);
  *x += (unsigned)by;
  return by;
}

static void count_events(walk *w, uint64_t *x) {
  *x += (uint64_t)count_of(w, (int64_t)*x);
}

/* Moves the entries of a ring `by` places on; `spare` holds the ring meanwhile. */
static void turn(void *ring, size_t entry, int64_t entries, int64_t by, void *spare) {
  const size_t from = (size_t)(by % entries) * entry, all = (size_t)entries * entry;
  if (from == 0) return;
  memcpy(spare, ring, all);
  memcpy((char *)ring + from, spare, all - from);
  memcpy(ring, (char *)spare + (all - from), from);
}

/* Times in a ring, of which those from `low` to `high` (exclusive) can still matter. */
static void times(walk *w, int64_t *ring, int64_t entries, int64_t low, int64_t high,
                  int64_t by) {
  if (!w->moving) {
    for (int64_t i = low > 0 ? low : 0; i < high; i++) time_at(w, &ring[i % entries]);
    return;
  }
  int64_t spare[kTileRing];
  for (int64_t i = 0; i < entries; i++) time_at(w, &ring[i]);
  turn(ring, sizeof *ring, entries, by, spare);
}

/* A count that only tells whether there have been as many as `enough`. */
static void reached(walk *w, int64_t x, int64_t enough) {
  value(w, x < enough ? x : enough);
}

static void visit_channel(walk *w, channel *c) {
  time_at(w, &c->free);
  if (w->moving) {
    c->due += w->ahead * c->unit;
  } else {
    const int64_t floor = w->floor * c->unit;
    value(w, (c->due > floor ? c->due : floor) - w->now * c->unit);
  }
  count_long(w, &c->beats);
}

static int slot_of(const queue *q, int i) { return (q->head + i) % SYSTOLE_QUEUE_DEPTH; }

static void visit_queue(walk *w, queue *q, int64_t instructions) {
  value(w, q->count);
  for (int i = 0; i < q->count; i++) {
    const int slot = slot_of(q, i);
    value(w, w->kinds[q->at[slot]]);
    q->at[slot] += (uint32_t)instructions;
    time_at(w, &q->head_at[slot]);
  }
  time_at(w, &q->freed);
  time_at(w, &q->free);
}

static void visit_tokens(walk *w, tokens *t) {
  const int64_t entries = 1 << SYSTOLE_TOKEN_BITS;
  const int64_t given = t->given, taken = t->taken;
  value(w, given - taken);
  const int64_t by = count_unsigned(w, &t->given);
  count_unsigned(w, &t->taken);
  times(w, t->at, entries, taken, given, by);
}

static void visit_copy(walk *w, const copy *c) {
  value(w, c->rows);
  value(w, c->lines);
  value(w, c->blocks);
  value(w, c->before);
  value(w, c->after);
  value(w, c->row_bytes);
  value(w, c->raw);
  value(w, c->give);
}

/* Entries from `low` to `high` of a ring of values. */
static void values(walk *w, const int64_t *ring, int64_t entries, int64_t low,
                   int64_t high) {
  for (int64_t i = low; i < high; i++) value(w, ring[i % entries]);
}

/* Bursts before `done` have been used by the side that moves data. Returns by how much
 * its bursts move. */
static int64_t visit_asker(walk *w, const forecaster *f, asker *a, int64_t limit,
                           int64_t done) {
  const int64_t page = page_of(f->geometry);
  const int64_t issued = a->issued, accepted = a->accepted, retired = a->retired;
  time_at(w, &a->at);
  value(w, a->now_beats);
  value(w,
        a->now_beats == 0 ? 0 : place_in_page(a->now_from, a->now_beats * f->axi, page));
  value(w, a->next_beats);
  value(w, a->next_beats == 0
               ? 0
               : place_in_page(a->next_from, a->next_beats * f->axi, page));
  value(w, a->on_channel);
  value(w, issued - accepted);
  value(w, issued - retired);
  value(w, accepted - done);
  reached(w, issued, limit);
  const int64_t by = count_unsigned(w, &a->issued);
  count_unsigned(w, &a->accepted);
  count_unsigned(w, &a->retired);
  times(w, a->address_at, kRing, done, accepted, by);
  values(w, a->beats, kRing, done, issued);
  int64_t spare[kRing];
  turn(a->beats, sizeof *a->beats, kRing, by, spare);
  times(w, a->retired_at, kRing, issued - limit, retired, by);
  return by;
}

static void visit_jobs(walk *w, const forecaster *f, jobs *j) {
  const int64_t page = page_of(f->geometry);
  const int64_t accepted = j->accepted, finished = j->finished;
  value(w, accepted - finished);
  const int64_t by = count_unsigned(w, &j->accepted);
  count_unsigned(w, &j->finished);
  /* The last accepted job is looked at even when it is finished: it may still ask. */
  for (int64_t i = finished - 1 > 0 ? finished - 1 : 0; i < accepted; i++) {
    visit_copy(w, &j->at[i % kUnitJobs]);
  }
  value(w, j->asking);
  if (j->asking) {
    const copy *asked = &j->at[(accepted - 1) % kUnitJobs];
    value(w, asked->offset & (page - 1));
    value(w, asked->line_stride & (page - 1));
    value(w, asked->block_stride & (page - 1));
    value(w, j->block);
    value(w, j->line);
  }
  copy spare[kUnitJobs];
  turn(j->at, sizeof *j->at, kUnitJobs, by, spare);
  times(w, j->start_at, kUnitJobs, finished, accepted, by);
  time_at(w, &j->slot_at);
  time_at(w, &j->idle_from);
}

static void visit_load(walk *w, forecaster *f) {
  loader *l = &f->load;
  visit_jobs(w, f, &l->jobs);
  visit_asker(w, f, &l->jobs.ask, kLoadBursts, l->taking);
  value(w, (int64_t)l->arriving - (int64_t)l->taking);
  count_unsigned(w, &l->arriving);
  count_unsigned(w, &l->taking);
  time_at(w, &l->at);
  value(w, l->arrived);
  value(w, l->slice);
  value(w, l->taken);
  value(w, l->parts);
  value(w, l->running);
  value(w, l->block);
  value(w, l->line);
  value(w, l->row);
}

static void visit_store(walk *w, forecaster *f) {
  storer *s = &f->store;
  const int64_t retired = s->jobs.ask.retired, sending = s->sending;
  const int64_t reads = s->reads, used = s->reads_used;
  const int64_t answered = s->answered, freed = s->freed;
  visit_jobs(w, f, &s->jobs);
  const int64_t bursts_by = visit_asker(w, f, &s->jobs.ask, kStoreBursts, s->leaving);
  value(w, s->running);
  value(w, s->reads_left);
  value(w, reads - used);
  const int64_t reads_by = count_unsigned(w, &s->reads);
  count_unsigned(w, &s->reads_used);
  times(w, s->read_at, kReads, used, reads, reads_by);
  value(w, s->left_line);
  value(w, s->left_lines);
  value(w, s->row_valid);
  value(w, s->half);
  value(w, s->part);
  value(w, s->last_part);
  value(w, s->row_end);
  value(w, s->beat_end);
  value(w, s->row_give);
  value(w, s->beat_give);
  value(w, s->beat_valid);
  value(w, sending - (int64_t)s->leaving);
  value(w, s->sent);
  value(w, s->slice);
  value(w, s->left);
  count_unsigned(w, &s->sending);
  count_unsigned(w, &s->leaving);
  for (int64_t i = retired; i < sending; i++) {
    value(w, s->ends[i % kRing]);
    value(w, s->gives[i % kRing]);
  }
  int64_t spare[kRing];
  turn(s->ends, sizeof *s->ends, kRing, bursts_by, spare);
  turn(s->gives, sizeof *s->gives, kRing, bursts_by, spare);
  value(w, (int64_t)s->pushed - answered);
  value(w, answered - freed);
  const int64_t by = count_unsigned(w, &s->pushed);
  count_unsigned(w, &s->answered);
  count_unsigned(w, &s->freed);
  times(w, s->answered_at, kRing, freed, answered, by);
}

static void visit_place(walk *w, const place *p) {
  value(w, p->valid);
  if (!p->valid) return;
  value(w, p->head);
  value(w, p->tail);
  value(w, p->empty);
  value(w, p->raw);
  value(w, p->sum);
  value(w, p->add);
  value(w, p->half);
  value(w, p->give);
  value(w, p->line);
  value(w, p->lines);
}

static void visit_activate(walk *w, forecaster *f) {
  activator *a = &f->activate;
  const int64_t begun = a->begun, left = a->left_slots;
  visit_place(w, &a->row);
  if (a->row.valid) {
    value(w, a->x);
    value(w, a->y);
    value(w, a->count);
    value(w, a->ready);
    value(w, a->left);
    value(w, a->right);
    value(w, a->top);
    value(w, a->bottom);
    value(w, a->width);
    value(w, a->pad);
    value(w, a->window_w);
    value(w, a->window_h);
    value(w, a->stride_w);
    value(w, a->stride_h);
  }
  visit_place(w, &a->now);
  visit_place(w, &a->next);
  value(w, a->now.valid ? a->element_first : 0);
  value(w, a->now.valid ? a->element : 0);
  value(w, begun - left);
  value(w, left - (int64_t)a->gone);
  const int64_t by = count_unsigned(w, &a->begun);
  count_unsigned(w, &a->left_slots);
  count_unsigned(w, &a->gone);
  times(w, a->filled_at, kSlots, left, begun, by);
  for (int64_t i = left; i < begun; i++) {
    value(w, a->slot_raw[i % kSlots]);
    value(w, a->slot_tail[i % kSlots]);
    value(w, a->slot_give[i % kSlots]);
  }
  int64_t spare[kSlots];
  turn(a->slot_raw, sizeof *a->slot_raw, kSlots, by, spare);
  turn(a->slot_tail, sizeof *a->slot_tail, kSlots, by, spare);
  turn(a->slot_give, sizeof *a->slot_give, kSlots, by, spare);
  value(w, a->offered);
  if (a->offered) {
    value(w, a->out_tail);
    value(w, a->out_give);
  }
  value(w, a->late);
  value(w, a->int8_jobs);
}

/* A WEIGHTS may reach over many periods; as long as it has this many rows left, how many
 * does not matter. */
static int64_t least_rows_left(const forecaster *f) {
  return (int64_t)f->geometry->weight_tiles * f->dim + 1;
}

static void visit_weights(walk *w, forecaster *f) {
  const int64_t page = page_of(f->geometry);
  visit_asker(w, f, &f->weights, kWeightBursts, f->weights.accepted);
  value(w, f->weights.on_channel ? f->weights.channel_beats : 0);
  value(w, f->asking_weights);
  if (f->asking_weights) {
    value(w, f->params);
    value(w, f->weights_give);
    value(w, f->params
                 ? place_in_page(f->weights_from, SYSTOLE_PARAM_BYTES * f->dim, page)
                 : f->weights_from & (page - 1));
  }
  reached(w, f->rows_left, least_rows_left(f));
  time_at(w, &f->used_at);
  value(w, f->weights_were_last);
  time_at(w, &f->taken_at[0]);
  time_at(w, &f->taken_at[1]);

  const int64_t dim = f->dim, tiles = f->geometry->weight_tiles;
  const int64_t rows_asked = f->rows_asked, here = f->tiles_here;
  const int64_t shifted = f->tiles_shifted, used = f->tiles_used;
  value(w, rows_asked - here * dim);
  value(w, f->rows_here - here * dim);
  value(w, here - shifted);
  value(w, shifted - used);
  reached(w, rows_asked, 2 * tiles * dim);
  reached(w, here, 2);
  count_long(w, &f->rows_asked);
  count_long(w, &f->rows_here);
  const int64_t tiles_by = count_long(w, &f->tiles_here);
  count_long(w, &f->tiles_shifted);
  count_long(w, &f->tiles_used);
  times(w, f->tile_here, kTileRing, used - 1, here, tiles_by);
  times(w, f->tile_shift, kTileRing, rows_asked / dim - tiles - 2, shifted, tiles_by);

  const int64_t asked = f->asked_pieces, pieces_here = f->here_pieces;
  value(w, asked - pieces_here);
  reached(w, asked, kWeightPieces);
  const int64_t pieces_by = count_unsigned(w, &f->asked_pieces);
  count_unsigned(w, &f->here_pieces);
  for (int64_t i = asked > kWeightPieces ? asked - kWeightPieces : 0;
       i < asked && !w->moving; i++) {
    weight_piece *p = &f->pieces[i % kRing];
    time_at(w, &p->end);
    if (i < pieces_here) continue;
    value(w, p->beats);
    value(w, p->rows);
    value(w, p->arrived);
    value(w, p->last);
    value(w, p->give);
  }
  if (w->moving) {
    weight_piece spare[kRing];
    for (int i = 0; i < kRing; i++) time_at(w, &f->pieces[i].end);
    turn(f->pieces, sizeof *f->pieces, kRing, pieces_by, spare);
  }
}

static void visit_array(walk *w, forecaster *f) {
  value(w, f->working);
  value(w, f->first_row < 0);
  time_at(w, &f->again_at);
  time_at(w, &f->last_issue);
  for (int half = 0; half < 2; half++) {
    time_at(w, &f->flight_from[half]);
    time_at(w, &f->flight_to[half]);
    time_at(w, &f->flight_before[half]);
  }
  const int64_t matmuls = f->matmuls;
  reached(w, matmuls, kMatmulPending);
  const int64_t by = count_unsigned(w, &f->matmuls);
  times(w, f->pending, kMatmulPending, matmuls - kMatmulPending, matmuls, by);
  time_at(w, &f->accounted);
  systole_ledger *ledger = &f->ledger;
  count_events(w, &ledger->active);
  count_events(w, &ledger->start);
  count_events(w, &ledger->drain);
  count_events(w, &ledger->output_stall);
  count_events(w, &ledger->input_stall);
  count_events(w, &ledger->weight_stall);
  count_events(w, &ledger->weight_shift);
  count_events(w, &ledger->other);
}

static void visit(walk *w, forecaster *f) {
  const int64_t popped = f->popped, here = f->here;
  const int64_t instructions =
      w->moving ? w->periods * (popped - w->since[0]) : 0; /* the first count */
  count_of(w, popped);
  f->popped += (uint32_t)instructions;
  f->here += (uint32_t)instructions;
  f->asked += (uint32_t)instructions;
  f->matmul_at += (uint32_t)instructions;
  value(w, here - popped);
  value(w, f->asked - f->popped);
  reached(w, f->count - f->asked, kEndOfStream);
  reached(w, popped, kFetchAhead);
  time_at(w, &f->idle_at);
  visit_asker(w, f, &f->fetch, kFetchBursts, f->fetch.accepted);
  value(w, f->fetch.on_channel ? f->fetch.channel_beats : 0);
  times(w, f->popped_at, kRing, popped - kFetchAhead, popped, instructions);
  times(w, f->here_at, kRing, popped, here, instructions);
  value(w, f->here_beats);
  value(w, f->holds);
  if (f->holds) value(w, w->kinds[popped - 1]);
  time_at(w, &f->hold_at);
  time_at(w, &f->pushed_at);
  time_at(w, &f->gmem1_at);
  value(w, f->ended);

  visit_channel(w, &f->gmem0_read);
  visit_channel(w, &f->gmem0_write);
  visit_channel(w, &f->gmem1_read);
  for (int unit = 0; unit < SYSTOLE_UNITS; unit++) {
    visit_queue(w, &f->queues[unit], w->stands[unit] ? 0 : instructions);
    for (int to = 0; to < SYSTOLE_UNITS; to++) visit_tokens(w, &f->tokens[unit][to]);
  }
  visit_weights(w, f);
  visit_array(w, f);
  visit_activate(w, f);
  visit_load(w, f);
  visit_store(w, f);
  time_at(w, &f->out_at);
  time_at(w, &f->out_next);
  time_at(w, &f->load_next);
  time_at(w, &f->port_taken);
}

/* ---- looking back, moving ahead
 * ------------------------------------------------------------------- */

static record *place_of(const systole_skip *skip, fingerprint print) {
  uint32_t at = (uint32_t)print.a & (skip->room - 1);
  while (skip->records[at].used && !same(skip->records[at].print, print)) {
    at = (at + 1) & (skip->room - 1);
  }
  return &skip->records[at];
}

/* How many more periods the stream repeats what it did since `then`. */
static int64_t periods_ahead(const systole_skip *skip, const forecaster *f,
                             const record *then) {
  const int64_t period = f->popped - then->popped;
  int64_t most = (int64_t)f->count - f->asked - kEndOfStream, run = 0;
  const uint32_t *before = &skip->kinds[then->popped], *since = &skip->kinds[f->popped];
  while (run < most && before[run] == since[run]) run++;
  int64_t periods = run / period;
  const int64_t rows = then->rows_left - f->rows_left;
  if (rows != 0) { /* the same WEIGHTS, further on */
    const int64_t left = f->rows_left - least_rows_left(f);
    if (rows != f->rows_asked - then->rows_asked) return 0;
    periods = left / rows < periods ? left / rows : periods;
  }
  return periods;
}

/* Whether a queue has moved by a period, or not at all: then its unit has been at one
 * long instruction, or waits for a token. 0: neither, so this is no period. */
static int queues_repeat(int *stands, const forecaster *f, const record *then) {
  const uint32_t period = f->popped - then->popped;
  for (int unit = 0; unit < SYSTOLE_UNITS; unit++) {
    const queue *q = &f->queues[unit];
    stands[unit] = q->count > 0 && q->at[q->head] == then->queued[unit][0];
    for (int i = 0; i < q->count; i++) {
      const uint32_t by = q->at[slot_of(q, i)] - then->queued[unit][i];
      if (by != (stands[unit] ? 0 : period)) return 0;
    }
  }
  return 1;
}

int systole_skip_try(systole_skip *skip, forecaster *f, int64_t now) {
  const uint32_t latency = f->gmem0_read.latency > f->gmem1_read.latency
                               ? (uint32_t)f->gmem0_read.latency
                               : (uint32_t)f->gmem1_read.latency;
  walk w = {.kinds = skip->kinds, .print = {3, 4}, .now = now};
  w.floor = (f->accounted < now ? f->accounted : now) - latency - kPast - 3 * f->dim;
  visit(&w, f);
  assert(w.count <= kMostCounts);
  record *then = place_of(skip, w.print);
  walk ahead = {.moving = 1, .kinds = skip->kinds, .now = now};
  int64_t periods = 0;
  if (then->used) {
    if (queues_repeat(ahead.stands, f, then)) periods = periods_ahead(skip, f, then);
  } else if (++skip->used > skip->room / 2) { /* nothing came back: begin anew */
    memset(skip->records, 0, skip->room * sizeof *skip->records);
    skip->used = 1;
    then = place_of(skip, w.print);
  }
  if (periods > 0) {
    ahead.periods = periods;
    const int64_t rows = periods * (then->rows_left - f->rows_left);
    ahead.ahead = periods * (now - then->now);
    ahead.since = then->counts;
    visit(&ahead, f);
    f->rows_left -= rows;
    f->weights_from += rows * f->dim;
    return 1;
  }
  /* The nearest is kept: its period is the shortest. */
  *then = (record){.print = w.print,
                   .now = now,
                   .rows_left = f->rows_left,
                   .rows_asked = f->rows_asked,
                   .popped = f->popped,
                   .used = 1};
  memcpy(then->counts, w.counts, sizeof then->counts);
  for (int unit = 0; unit < SYSTOLE_UNITS; unit++) {
    const queue *q = &f->queues[unit];
    for (int i = 0; i < q->count; i++) then->queued[unit][i] = q->at[slot_of(q, i)];
  }
  return 0;
}

/* ---- the stream
 * ----------------------------------------------------------------------------------- */

/* A MATMUL adds to the row that the one before it ends with: it has to wait a cycle. */
static int adds_to(const systole_instruction *i, const systole_instruction *before) {
  if (before == NULL || !SYSTOLE_GET(i, MATMUL_ACCUMULATE)) return 0;
  const uint64_t rows =
      SYSTOLE_GET(before, MATMUL_ROWS0) * SYSTOLE_GET(before, MATMUL_ROWS1);
  return SYSTOLE_GET(i, MATMUL_ACC_ROW) == SYSTOLE_GET(before, MATMUL_ACC_ROW) + rows - 1;
}

/* Gives every instruction a number; the same kind, the same number. */
static systole_status number_kinds(uint32_t *kinds,
                                   const systole_instruction *instructions,
                                   uint32_t count, const systole_geometry *geometry) {
  uint32_t room = 64;
  while (room < 2 * count) room *= 2;
  void *memory;
  systole_status status =
      systole_allocate_zeroed(&memory, room, sizeof(uint32_t), "kinds of instructions");
  if (status != SYSTOLE_OK) return status;
  uint32_t *table = memory; /* 1 + the number of an instruction of the kind */
  fingerprint *prints = NULL;
  status = systole_allocate(&memory, count, sizeof *prints, "kinds of instructions");
  prints = memory;
  const systole_instruction *before = NULL;
  for (uint32_t i = 0; i < count && status == SYSTOLE_OK; i++) {
    prints[i] = kind_of(instructions[i], geometry);
    if (SYSTOLE_GET(&instructions[i], OPCODE) == SYSTOLE_OP_MATMUL) {
      mix(&prints[i], (uint64_t)adds_to(&instructions[i], before));
      before = &instructions[i];
    }
    uint32_t at = (uint32_t)prints[i].a & (room - 1);
    while (table[at] != 0 && !same(prints[table[at] - 1], prints[i])) {
      at = (at + 1) & (room - 1);
    }
    if (table[at] == 0) table[at] = i + 1;
    kinds[i] = table[at];
  }
  systole_release(prints);
  systole_release(table);
  return status;
}

systole_status systole_skip_begin(systole_skip **out,
                                  const systole_instruction *instructions, uint32_t count,
                                  const systole_geometry *geometry) {
  *out = NULL;
  if (count < kLeastInstructions) return SYSTOLE_OK;
  void *memory;
  systole_status status =
      systole_allocate_zeroed(&memory, 1, sizeof(systole_skip), "a forecast");
  if (status != SYSTOLE_OK) return status;
  systole_skip *skip = memory;
  skip->geometry = geometry;
  skip->count = count;
  skip->room = 64;
  while (skip->room < count / 2 && skip->room < kMostRecords) skip->room *= 2;
  status = systole_allocate(&memory, count, sizeof *skip->kinds, "kinds of instructions");
  if (status == SYSTOLE_OK) {
    skip->kinds = memory;
    status = number_kinds(skip->kinds, instructions, count, geometry);
  }
  if (status == SYSTOLE_OK) {
    status = systole_allocate_zeroed(&memory, skip->room, sizeof *skip->records,
                                     "states of a forecast");
  }
  if (status == SYSTOLE_OK) {
    skip->records = memory;
    *out = skip;
  } else {
    systole_skip_end(skip);
  }
  return status;
}

void systole_skip_end(systole_skip *skip) {
  if (skip == NULL) return;
  systole_release(skip->kinds);
  systole_release(skip->records);
  systole_release(skip);
}
