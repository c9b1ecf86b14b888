#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/epilogue.h"
#include "library/device.h"
#include "program/check.h"
#include "support/error.h"
#include "support/random.h"

enum { kMaxDim = 256, kMaxBuffers = 64, kMaxTokens = (1 << SYSTOLE_TOKEN_BITS) - 1 };

/* ---- what is remembered about who touched what
 * ------------------------------------------ */

/* How far each unit had come, as another unit may know: by tokens, or by itself. */
typedef struct knowledge {
  uint32_t of[SYSTOLE_UNITS];
} knowledge;

/* Accesses to one row or bank: the last write, and the last read by each unit. A time of
 * 0 is "never". */
typedef struct touched {
  uint32_t write_time;
  int write_unit;
  uint32_t read_time[SYSTOLE_UNITS];
} touched;

/* ---- the machine
 * ------------------------------------------------------------------------ */

typedef struct buffer {
  uint64_t address, bytes;
  uint8_t *data;
  touched *pieces; /* of strict runs: who touched each piece of it */
} buffer;

typedef struct parameters {
  int32_t bias, multiplier;
  uint8_t shift;
} parameters;

typedef struct entry { /* an instruction in a queue */
  systole_instruction instruction;
  uint32_t index;
} entry;

typedef struct unit_state {
  entry queue[SYSTOLE_QUEUE_DEPTH];
  int head, length;
  int started; /* `now` is being executed; it has left the queue */
  entry now;
  uint64_t done; /* tiles or rows of it */
  knowledge knows;
} unit_state;

struct systole_card {
  systole_geometry geometry;
  uint64_t memory_bytes; /* of each port */
  buffer buffers[2][kMaxBuffers];
  uint64_t next_address[2];
  uint32_t registers[SYSTOLE_REG_SPAN / 4];
  systole_random random;
  systole_machine_fault fault;
  uint32_t fault_at;
  uint32_t slice;
  uint64_t runs;
  int strict;

  int8_t *ub;
  int32_t *acc;
  int8_t *tiles; /* the weight FIFO, a ring */
  uint64_t tile_first, tile_count;
  parameters bank[2][kMaxDim];
  touched *ub_touched, *acc_touched, bank_touched[2];

  /* the run */
  systole_launch launch;
  int running, finished, hung, raced;
  uint32_t next; /* instruction to dispatch */
  unit_state units[SYSTOLE_UNITS];
  int tokens[SYSTOLE_UNITS][SYSTOLE_UNITS];
  int token_first[SYSTOLE_UNITS][SYSTOLE_UNITS];
  knowledge token_knows[SYSTOLE_UNITS][SYSTOLE_UNITS][kMaxTokens];
  uint64_t counters[SYSTOLE_COUNTERS];
};

/* ---- memory
 * ----------------------------------------------------------------------------- */

static uint8_t *locate(systole_card *card, systole_port port, uint64_t address,
                       uint64_t bytes) {
  for (int i = 0; i < kMaxBuffers; i++) {
    buffer *b = &card->buffers[port][i];
    if (b->data == NULL || address < b->address) continue;
    if (address - b->address <= b->bytes && bytes <= b->bytes - (address - b->address)) {
      return b->data + (address - b->address);
    }
  }
  return NULL;
}

uint64_t systole_machine_allocated(const systole_card *card) {
  uint64_t bytes = 0;
  for (int port = 0; port < 2; port++) {
    for (int i = 0; i < kMaxBuffers; i++) {
      if (card->buffers[port][i].data != NULL) bytes += card->buffers[port][i].bytes;
    }
  }
  return bytes;
}

static systole_status machine_alloc(systole_card *card, systole_port port, uint64_t bytes,
                                    uint64_t *address) {
  *address = 0;
  uint64_t used = 0;
  buffer *free_slot = NULL;
  for (int i = 0; i < kMaxBuffers; i++) {
    buffer *b = &card->buffers[port][i];
    if (b->data == NULL) {
      free_slot = b;
    } else {
      used += b->bytes;
    }
  }
  if (free_slot == NULL || bytes > card->memory_bytes - used) {
    return systole_fail(
        SYSTOLE_ERR_DEVICE_MEMORY,
        "the functional card has %llu of %llu bytes left, %llu were asked for",
        (unsigned long long)(card->memory_bytes - used),
        (unsigned long long)card->memory_bytes, (unsigned long long)bytes);
  }
  free_slot->pieces = NULL;
  free_slot->data = malloc(bytes > 0 ? (size_t)bytes : 1);
  if (free_slot->data == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory for a device buffer");
  }
  memset(free_slot->data, 0xA5, (size_t)bytes); /* device memory is not cleared */
  free_slot->bytes = bytes;
  free_slot->address = card->next_address[port];
  card->next_address[port] += (bytes + 4096 + 4095) / 4096 * 4096;
  *address = free_slot->address;
  return SYSTOLE_OK;
}

static void machine_free(systole_card *card, systole_port port, uint64_t address) {
  for (int i = 0; i < kMaxBuffers; i++) {
    buffer *b = &card->buffers[port][i];
    if (b->data == NULL || b->address != address) continue;
    free(b->data);
    free(b->pieces);
    b->data = NULL;
    b->pieces = NULL;
  }
}

static int take_fault(systole_card *card, systole_machine_fault fault) {
  if (card->fault != fault) return 0;
  card->fault = SYSTOLE_FAULT_NONE;
  return 1;
}

static systole_status machine_write(systole_card *card, systole_port port,
                                    uint64_t address, const void *data, uint64_t bytes) {
  uint8_t *at = locate(card, port, address, bytes);
  if (at == NULL || take_fault(card, SYSTOLE_FAULT_WRITE)) {
    return systole_fail(SYSTOLE_ERR_DEVICE, "the functional card refused a write");
  }
  if (bytes > 0) memcpy(at, data, (size_t)bytes);
  return SYSTOLE_OK;
}

static systole_status machine_read(systole_card *card, systole_port port,
                                   uint64_t address, void *data, uint64_t bytes) {
  uint8_t *at = locate(card, port, address, bytes);
  if (at == NULL || take_fault(card, SYSTOLE_FAULT_READ)) {
    return systole_fail(SYSTOLE_ERR_DEVICE, "the functional card refused a read");
  }
  if (bytes > 0) memcpy(data, at, (size_t)bytes);
  return SYSTOLE_OK;
}

/* ---- opening
 * ---------------------------------------------------------------------------- */

static int log2_of(uint32_t value) {
  int bits = 0;
  while ((1u << bits) < value) bits++;
  return bits;
}

systole_status systole_machine_geometry(systole_geometry *out, const char *what) {
  char *end;
  systole_geometry g = {0};
  g.dim = (int)strtol(what, &end, 10);
  if (g.dim < 2 || g.dim > kMaxDim || (g.dim & (g.dim - 1)) != 0) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "\"%s\" is no functional card", what);
  }
  g.axi_bytes = g.dim < 4 ? 4 : g.dim > 64 ? 64 : g.dim;
  g.weight_ports = 1;
  g.ub_rows = g.dim <= 16 ? 16384 : g.dim <= 64 ? 8192 : 4096;
  g.acc_rows = 2048;
  g.weight_tiles = g.dim >= 64 ? 4 : 256 / (uint32_t)g.dim;
  while (*end == ',') {
    char name[16];
    unsigned value;
    int length;
    if (sscanf(end, ",%15[a-z]=%u%n", name, &value, &length) != 2) break;
    if (strcmp(name, "ub") == 0) g.ub_rows = value;
    if (strcmp(name, "acc") == 0) g.acc_rows = value;
    if (strcmp(name, "tiles") == 0) g.weight_tiles = value;
    if (strcmp(name, "axi") == 0) g.axi_bytes = (int)value;
    if (strcmp(name, "features") == 0) g.features = value;
    end += length;
  }
  if (*end != 0) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "\"%s\" is no functional card", what);
  }
  g.flat_array = 1;
  *out = g;
  return SYSTOLE_OK;
}

static void machine_close(systole_card *card) {
  if (card == NULL) return;
  for (int port = 0; port < 2; port++) {
    for (int i = 0; i < kMaxBuffers; i++) {
      free(card->buffers[port][i].data);
      free(card->buffers[port][i].pieces);
    }
  }
  free(card->ub);
  free(card->acc);
  free(card->tiles);
  free(card->ub_touched);
  free(card->acc_touched);
  free(card);
}

static systole_status machine_open(systole_card **out, const char *what,
                                   const systole_device_options *options) {
  *out = NULL;
  systole_geometry g;
  systole_status status = systole_machine_geometry(&g, what);
  if (status != SYSTOLE_OK) return status;
  systole_card *card = calloc(1, sizeof *card);
  if (card == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory for a card");
  card->geometry = g;
  card->memory_bytes = (uint64_t)1 << 32;
  if (options != NULL && options->memory_bytes > 0)
    card->memory_bytes = options->memory_bytes;
  card->next_address[0] = 0x10000000;
  card->next_address[1] = 0x7000000000;
  size_t dim = (size_t)g.dim;
  card->ub = calloc(g.ub_rows, dim);
  card->acc = calloc(g.acc_rows * dim, sizeof(int32_t));
  card->tiles = calloc(g.weight_tiles, dim * dim);
  card->ub_touched = calloc(g.ub_rows, sizeof(touched));
  card->acc_touched = calloc(g.acc_rows, sizeof(touched));
  systole_random_seed(&card->random, 1);
  uint32_t *r = card->registers;
  r[SYSTOLE_REG_CONTROL / 4] = 4;
  r[SYSTOLE_REG_IDENTITY / 4] = SYSTOLE_IDENTITY_VALUE;
  r[SYSTOLE_REG_VERSION / 4] = SYSTOLE_ISA_VERSION | SYSTOLE_RTL_VERSION << 8;
  r[SYSTOLE_REG_GEOMETRY / 4] =
      (uint32_t)(log2_of((uint32_t)g.dim) | log2_of((uint32_t)g.axi_bytes) << 8 |
                 g.weight_ports << 16 | g.flat_array << 24);
  r[SYSTOLE_REG_UB_ROWS / 4] = g.ub_rows;
  r[SYSTOLE_REG_ACC_ROWS / 4] = g.acc_rows;
  r[SYSTOLE_REG_WEIGHT_TILES / 4] = g.weight_tiles;
  r[SYSTOLE_REG_FEATURES / 4] = g.features;
  r[SYSTOLE_REG_WATCHDOG / 4] = 1;
  *out = card;
  return SYSTOLE_OK;
}

static systole_status machine_read_register(systole_card *card, uint32_t offset,
                                            uint32_t *value) {
  if (offset >= SYSTOLE_REG_COUNTERS &&
      offset < SYSTOLE_REG_COUNTERS + 8 * SYSTOLE_COUNTERS) {
    uint64_t counter = card->counters[(offset - SYSTOLE_REG_COUNTERS) / 8];
    *value = (uint32_t)(offset % 8 == 0 ? counter : counter >> 32);
  } else {
    *value = offset < SYSTOLE_REG_SPAN ? card->registers[offset / 4] : 0;
  }
  return SYSTOLE_OK;
}

/* ---- errors and races
 * ------------------------------------------------------------------- */

static void end_run(systole_card *card) {
  card->running = 0;
  card->finished = 1;
  card->registers[SYSTOLE_REG_CONTROL / 4] = 4 | 2;
}

static void raise_error(systole_card *card, int code, int unit, uint32_t index,
                        uint32_t detail) {
  if (card->finished) return;
  card->registers[SYSTOLE_REG_ERROR_CODE / 4] = (uint32_t)(code | unit << 8);
  card->registers[SYSTOLE_REG_ERROR_INDEX / 4] = index;
  card->registers[SYSTOLE_REG_ERROR_DETAIL / 4] = detail;
  end_run(card);
}

static void race(systole_card *card, int unit, const char *what, uint64_t row,
                 int other) {
  if (card->raced) return;
  card->raced = 1;
  systole_fail(
      SYSTOLE_ERR_DEVICE,
      "race: instruction %u (%s unit) touches %s %llu, and nothing orders it after the "
      "%s unit",
      card->units[unit].now.index, systole_unit_name(unit), what, (unsigned long long)row,
      systole_unit_name(other));
}

/* In a strict run everything that is read was written before. */
static void need_defined(systole_card *card, const touched *t, int unit, const char *what,
                         uint64_t row) {
  if (!card->strict || t->write_time > 0 || card->raced) return;
  card->raced = 1;
  systole_fail(SYSTOLE_ERR_DEVICE,
               "instruction %u (%s unit) reads %s %llu, which nothing has written",
               card->units[unit].now.index, systole_unit_name(unit), what,
               (unsigned long long)row);
}

static void order_read(systole_card *card, touched *t, int unit, const char *what,
                       uint64_t row) {
  const knowledge *k = &card->units[unit].knows;
  if (t->write_time > k->of[t->write_unit]) race(card, unit, what, row, t->write_unit);
  t->read_time[unit] = k->of[unit];
}

static void note_read(systole_card *card, touched *t, int unit, const char *what,
                      uint64_t row) {
  need_defined(card, t, unit, what, row);
  order_read(card, t, unit, what, row);
}

static void note_write(systole_card *card, touched *t, int unit, const char *what,
                       uint64_t row) {
  const knowledge *k = &card->units[unit].knows;
  if (t->write_time > k->of[t->write_unit]) race(card, unit, what, row, t->write_unit);
  for (int other = 0; other < SYSTOLE_UNITS; other++) {
    if (t->read_time[other] > k->of[other]) race(card, unit, what, row, other);
  }
  t->write_unit = unit;
  t->write_time = k->of[unit];
}

static int8_t *ub_row(systole_card *card, int unit, int64_t row, int write) {
  if (write) {
    note_write(card, &card->ub_touched[row], unit, "unified-buffer row", (uint64_t)row);
  } else {
    note_read(card, &card->ub_touched[row], unit, "unified-buffer row", (uint64_t)row);
  }
  card->counters[write ? SYSTOLE_COUNTER_UB_WRITES : SYSTOLE_COUNTER_UB_READS]++;
  return card->ub + row * card->geometry.dim;
}

static int32_t *acc_row(systole_card *card, int unit, int64_t row, int write) {
  if (write) {
    note_write(card, &card->acc_touched[row], unit, "accumulator row", (uint64_t)row);
  } else {
    note_read(card, &card->acc_touched[row], unit, "accumulator row", (uint64_t)row);
    card->counters[SYSTOLE_COUNTER_ACC_READS]++;
  }
  return card->acc + row * card->geometry.dim;
}

/* ---- what the units do
 * ------------------------------------------------------------------ */

/* Bytes of device memory that an access touches as one: rows and beats begin there. */
static uint64_t piece_bytes(const systole_card *card) {
  const systole_geometry *g = &card->geometry;
  return (uint64_t)(g->dim < g->axi_bytes ? g->dim : g->axi_bytes);
}

/* Strict runs: LOAD and STORE of the same bytes are ordered by tokens. */
static void note_memory(systole_card *card, int unit, systole_port port, uint64_t address,
                        uint64_t bytes) {
  const uint64_t piece = piece_bytes(card);
  for (int i = 0; i < kMaxBuffers; i++) {
    buffer *b = &card->buffers[port][i];
    if (b->pieces == NULL || address < b->address || address - b->address >= b->bytes) {
      continue;
    }
    const uint64_t first = address - b->address;
    for (uint64_t p = first / piece; p * piece < first + bytes; p++) {
      if (unit == SYSTOLE_UNIT_STORE) {
        note_write(card, &b->pieces[p], unit, "device memory at byte", p * piece);
      } else {
        order_read(card, &b->pieces[p], unit, "device memory at byte", p * piece);
      }
    }
  }
}

/* Device memory for an access of the instruction, NULL after an error. */
static uint8_t *reach(systole_card *card, int unit, systole_port port, uint64_t address,
                      uint64_t bytes) {
  uint32_t index = card->units[unit].now.index;
  if (card->fault == SYSTOLE_FAULT_SLVERR && card->fault_at == index) {
    card->fault = SYSTOLE_FAULT_NONE;
    raise_error(card, SYSTOLE_ERROR_SLAVE, unit, index, (uint32_t)address);
    return NULL;
  }
  uint8_t *at = locate(card, port, address, bytes);
  if (at == NULL) {
    raise_error(card, SYSTOLE_ERROR_DECODE, unit, index, (uint32_t)address);
    return NULL;
  }
  note_memory(card, unit, port, address, bytes);
  if (port == SYSTOLE_PORT_GMEM1) {
    card->counters[SYSTOLE_COUNTER_GMEM1_READ_BYTES] += bytes;
  } else if (unit == SYSTOLE_UNIT_STORE) {
    card->counters[SYSTOLE_COUNTER_GMEM0_WRITE_BYTES] += bytes;
  } else {
    card->counters[SYSTOLE_COUNTER_GMEM0_READ_BYTES] += bytes;
  }
  return at;
}

/* Walks a LOAD or STORE: the n-th row's unified-buffer row, its address, and whether it
 * is a fill row. */
typedef struct place {
  int64_t ub_row;
  uint64_t address;
  int is_fill, in_last_block;
} place;

static uint64_t copy_rows(const systole_instruction *i) {
  return (SYSTOLE_GET(i, COPY_ROWS) + SYSTOLE_GET(i, COPY_FILL_BEFORE) +
          SYSTOLE_GET(i, COPY_FILL_AFTER)) *
         SYSTOLE_GET(i, COPY_LINES) * SYSTOLE_GET(i, COPY_BLOCKS);
}

/* Lanes of every row that a raw STORE writes. */
static int raw_lanes(const systole_card *card, const systole_instruction *i) {
  const int lanes = (int)SYSTOLE_GET(i, COPY_RAW_LANES);
  return lanes > 0 ? lanes : card->geometry.dim;
}

static place copy_place(const systole_card *card, const systole_instruction *i,
                        uint64_t n) {
  int64_t before = (int64_t)SYSTOLE_GET(i, COPY_FILL_BEFORE);
  int64_t rows = (int64_t)SYSTOLE_GET(i, COPY_ROWS);
  int64_t line_rows = before + rows + (int64_t)SYSTOLE_GET(i, COPY_FILL_AFTER);
  int64_t lines = (int64_t)SYSTOLE_GET(i, COPY_LINES);
  int64_t r = (int64_t)n % line_rows, l = (int64_t)n / line_rows % lines;
  int64_t b = (int64_t)n / line_rows / lines;
  int64_t row_bytes =
      SYSTOLE_GET(i, COPY_RAW) ? 4 * raw_lanes(card, i) : card->geometry.dim;
  place p;
  p.ub_row = (int64_t)SYSTOLE_GET(i, COPY_UB_ROW) +
             b * SYSTOLE_GET_SIGNED(i, COPY_UB_BLOCK_STRIDE) +
             l * SYSTOLE_GET_SIGNED(i, COPY_UB_LINE_STRIDE) + r;
  p.address = card->launch.activations + SYSTOLE_GET(i, COPY_OFFSET) +
              (uint64_t)(b * SYSTOLE_GET_SIGNED(i, COPY_MEM_BLOCK_STRIDE) +
                         l * SYSTOLE_GET_SIGNED(i, COPY_MEM_LINE_STRIDE) +
                         (r - before) * row_bytes);
  p.is_fill = r < before || r >= before + rows;
  p.in_last_block = b == (int64_t)SYSTOLE_GET(i, COPY_BLOCKS) - 1;
  return p;
}

static void do_load(systole_card *card, const systole_instruction *i) {
  int dim = card->geometry.dim;
  int lanes = (int)SYSTOLE_GET(i, COPY_LAST_LANES);
  for (uint64_t n = 0; n < copy_rows(i) && !card->finished; n++) {
    place p = copy_place(card, i, n);
    int8_t *row = ub_row(card, SYSTOLE_UNIT_LOAD, p.ub_row, 1);
    if (p.is_fill) {
      memset(row, (int)SYSTOLE_GET(i, COPY_FILL_BYTE), (size_t)dim);
    } else {
      const uint8_t *from =
          reach(card, SYSTOLE_UNIT_LOAD, SYSTOLE_PORT_GMEM0, p.address, (uint64_t)dim);
      if (from == NULL) return;
      memcpy(row, from, (size_t)dim);
    }
    if (p.in_last_block && lanes > 0) memset(row + lanes, 0, (size_t)(dim - lanes));
  }
}

static void do_store(systole_card *card, const systole_instruction *i) {
  int dim = card->geometry.dim;
  for (uint64_t n = 0; n < copy_rows(i) && !card->finished; n++) {
    place p = copy_place(card, i, n);
    const int8_t *row = ub_row(card, SYSTOLE_UNIT_STORE, p.ub_row, 0);
    uint8_t *to =
        reach(card, SYSTOLE_UNIT_STORE, SYSTOLE_PORT_GMEM0, p.address, (uint64_t)dim);
    if (to == NULL) return;
    memcpy(to, row, (size_t)dim);
  }
}

static void do_params(systole_card *card, const systole_instruction *i) {
  int dim = card->geometry.dim;
  int bank = (int)SYSTOLE_GET(i, WEIGHTS_BANK);
  note_write(card, &card->bank_touched[bank], SYSTOLE_UNIT_WEIGHT, "parameter bank",
             (uint64_t)bank);
  const uint8_t *from = reach(card, SYSTOLE_UNIT_WEIGHT, SYSTOLE_PORT_GMEM1,
                              card->launch.weights + SYSTOLE_GET(i, WEIGHTS_OFFSET),
                              (uint64_t)dim * SYSTOLE_PARAM_BYTES);
  if (from == NULL) return;
  for (int c = 0; c < dim; c++) {
    uint64_t word = 0;
    for (int b = 0; b < 8; b++) word |= (uint64_t)from[8 * c + b] << (8 * b);
    parameters *p = &card->bank[bank][c];
    p->bias = (int32_t)(uint32_t)(word >> SYSTOLE_PARAM_BIAS_LSB);
    int32_t multiplier = (int32_t)(word >> SYSTOLE_PARAM_MULTIPLIER_LSB &
                                   ((1u << SYSTOLE_PARAM_MULTIPLIER_BITS) - 1));
    int32_t sign = 1 << (SYSTOLE_PARAM_MULTIPLIER_BITS - 1);
    p->multiplier = (multiplier ^ sign) - sign;
    p->shift = (uint8_t)(word >> SYSTOLE_PARAM_SHIFT_LSB &
                         ((1u << SYSTOLE_PARAM_SHIFT_BITS) - 1));
  }
}

/* One tile from memory into the FIFO. */
static int fetch_tile(systole_card *card, unit_state *u) {
  if (card->tile_count == card->geometry.weight_tiles) return 0;
  uint64_t bytes = (uint64_t)card->geometry.dim * (uint64_t)card->geometry.dim;
  const uint8_t *from =
      reach(card, SYSTOLE_UNIT_WEIGHT, SYSTOLE_PORT_GMEM1,
            card->launch.weights + SYSTOLE_GET(&u->now.instruction, WEIGHTS_OFFSET) +
                u->done * bytes,
            bytes);
  if (from == NULL) return 1;
  uint64_t slot = (card->tile_first + card->tile_count++) % card->geometry.weight_tiles;
  memcpy(card->tiles + slot * bytes, from, (size_t)bytes);
  u->done++;
  return 1;
}

/* All rows of one reduction step. */
static int use_tile(systole_card *card, unit_state *u) {
  if (card->tile_count == 0) return 0;
  const systole_instruction *i = &u->now.instruction;
  int dim = card->geometry.dim;
  const int8_t *tile = card->tiles + card->tile_first * (uint64_t)dim * (uint64_t)dim;
  int64_t red0 = (int64_t)SYSTOLE_GET(i, MATMUL_RED0),
          red1 = (int64_t)SYSTOLE_GET(i, MATMUL_RED1);
  int64_t step = (int64_t)u->done;
  int64_t start = (int64_t)SYSTOLE_GET(i, MATMUL_UB_ROW) +
                  step % red0 * SYSTOLE_GET_SIGNED(i, MATMUL_RED_STRIDE0) +
                  step / red0 % red1 * SYSTOLE_GET_SIGNED(i, MATMUL_RED_STRIDE1) +
                  step / red0 / red1 * SYSTOLE_GET_SIGNED(i, MATMUL_RED_STRIDE2);
  int64_t rows0 = (int64_t)SYSTOLE_GET(i, MATMUL_ROWS0);
  int64_t rows = rows0 * (int64_t)SYSTOLE_GET(i, MATMUL_ROWS1);
  int overwrite = step == 0 && !SYSTOLE_GET(i, MATMUL_ACCUMULATE);
  for (int64_t r = 0; r < rows; r++) {
    int64_t row = start + r % rows0 * SYSTOLE_GET_SIGNED(i, MATMUL_ROW_STRIDE0) +
                  r / rows0 * SYSTOLE_GET_SIGNED(i, MATMUL_ROW_STRIDE1);
    const int8_t *a = ub_row(card, SYSTOLE_UNIT_ARRAY, row, 0);
    const int64_t acc = (int64_t)SYSTOLE_GET(i, MATMUL_ACC_ROW) + r;
    if (!overwrite) {
      need_defined(card, &card->acc_touched[acc], SYSTOLE_UNIT_ARRAY, "accumulator row",
                   (uint64_t)acc);
    }
    int32_t *sum = acc_row(card, SYSTOLE_UNIT_ARRAY, acc, 1);
    if (overwrite) memset(sum, 0, sizeof(int32_t) * (size_t)dim);
    for (int k = 0; k < dim; k++) {
      for (int c = 0; c < dim; c++) {
        int product = a[k] * tile[k * dim + c];
        sum[c] = (int32_t)((uint32_t)sum[c] + (uint32_t)product);
        card->counters[SYSTOLE_COUNTER_ZERO_MACS] += product == 0;
      }
    }
  }
  card->counters[SYSTOLE_COUNTER_ACTIVE] += (uint64_t)rows;
  card->counters[SYSTOLE_COUNTER_WEIGHT_ROWS] += (uint64_t)dim;
  card->tile_first = (card->tile_first + 1) % card->geometry.weight_tiles;
  card->tile_count--;
  u->done++;
  return 1;
}

/* The instruction as host/engine/epilogue.h says it, and the arrays behind that. */
typedef struct activate {
  systole_activation a;
  systole_epilogue epilogue;
  int32_t bias[kMaxDim], multiplier[kMaxDim];
  uint8_t shift[kMaxDim];
  int64_t line; /* accumulator rows of an image line */
} activate;

static void read_activate(activate *out, systole_card *card,
                          const systole_instruction *i) {
  const systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  const systole_activation a = SYSTOLE_ACTIVATION_INIT;
  const parameters *p = card->bank[SYSTOLE_GET(i, ACTIVATE_BANK)];
  out->epilogue = epilogue;
  out->a = a;
  for (int c = 0; c < card->geometry.dim; c++) {
    out->bias[c] = p[c].bias;
    out->multiplier[c] = p[c].multiplier;
    out->shift[c] = p[c].shift;
  }
  out->epilogue.bias = SYSTOLE_GET(i, ACTIVATE_BIAS) ? out->bias : NULL;
  out->epilogue.multiplier = out->multiplier;
  out->epilogue.shift = out->shift;
  out->epilogue.zero_point = (int8_t)SYSTOLE_GET_SIGNED(i, ACTIVATE_ZERO_POINT);
  out->epilogue.clamp_low = (int8_t)SYSTOLE_GET_SIGNED(i, ACTIVATE_CLAMP_LOW);
  out->epilogue.clamp_high = (int8_t)SYSTOLE_GET_SIGNED(i, ACTIVATE_CLAMP_HIGH);
  out->a.epilogue = &out->epilogue;
  out->a.has_residual = (int)SYSTOLE_GET(i, ACTIVATE_RESIDUAL);
  out->a.residual_multiplier = (int32_t)SYSTOLE_GET_SIGNED(i, ACTIVATE_RES_MUL);
  out->a.residual_zero_point = (int8_t)SYSTOLE_GET_SIGNED(i, ACTIVATE_RES_ZERO);
  out->a.pool = (systole_pooling)SYSTOLE_GET(i, ACTIVATE_POOL);
  if (out->a.pool == SYSTOLE_POOLING_NONE) {
    out->a.height = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS1);
    out->a.width = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS0);
    return;
  }
  out->a.height = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_IN_HEIGHT);
  out->a.width = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_IN_WIDTH);
  out->a.window_h = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_HEIGHT);
  out->a.window_w = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_WIDTH);
  out->a.stride_h = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_STRIDE_H);
  out->a.stride_w = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_STRIDE_W);
  out->a.pad_top = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_PAD_TOP);
  out->a.pad_left = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_PAD_LEFT);
}

/* The image of sums, after all rows that output row n looks at were noted as read. */
static const int32_t *read_window(systole_card *card, const systole_instruction *i,
                                  const activate *a, int64_t n) {
  const int64_t rows0 = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS0);
  const int64_t first = (int64_t)SYSTOLE_GET(i, ACTIVATE_ACC_ROW);
  int64_t top, bottom, left, right;
  systole_activation_window(&a->a, n / rows0, n % rows0, &top, &bottom, &left, &right);
  for (int64_t h = top; h < bottom; h++) {
    for (int64_t w = left; w < right; w++) {
      (void)acc_row(card, SYSTOLE_UNIT_ACTIVATE, first + h * a->a.width + w, 0);
    }
  }
  /* A window of padding alone reads nothing, wherever the image would lie. */
  return card->acc + (first < card->geometry.acc_rows ? first : 0) * card->geometry.dim;
}

/* Row of the unified buffer that belongs to output row n. */
static int64_t row_of(int64_t first, int64_t n, int64_t rows0, int64_t stride0,
                      int64_t stride1) {
  return first + n % rows0 * stride0 + n / rows0 * stride1;
}

/* Output row n of an int8 ACTIVATE. */
static void activate_row(systole_card *card, const systole_instruction *i,
                         const activate *a, int64_t n) {
  const int dim = card->geometry.dim;
  const int64_t rows0 = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS0);
  const int8_t *residual = NULL;
  if (a->a.has_residual) {
    const int64_t row = row_of((int64_t)SYSTOLE_GET(i, ACTIVATE_RES_ROW), n, rows0,
                               SYSTOLE_GET_SIGNED(i, ACTIVATE_RES_STRIDE0),
                               SYSTOLE_GET_SIGNED(i, ACTIVATE_RES_STRIDE1));
    residual = ub_row(card, SYSTOLE_UNIT_ACTIVATE, row, 0);
    /* The unit reads ahead: a row that this instruction wrote may be seen or not. */
    for (int64_t before = 0; before < n; before++) {
      if (row == row_of((int64_t)SYSTOLE_GET(i, ACTIVATE_UB_ROW), before, rows0,
                        SYSTOLE_GET_SIGNED(i, ACTIVATE_UB_STRIDE0),
                        SYSTOLE_GET_SIGNED(i, ACTIVATE_UB_STRIDE1))) {
        race(card, SYSTOLE_UNIT_ACTIVATE, "its own result at row", (uint64_t)row,
             SYSTOLE_UNIT_ACTIVATE);
      }
    }
  }
  const int32_t *sums = read_window(card, i, a, n);
  int8_t out[kMaxDim];
  systole_activation_pixel(out, sums, a->a.width * dim, dim, residual, n / rows0,
                           n % rows0, 0, dim, &a->a);
  const int64_t row = row_of((int64_t)SYSTOLE_GET(i, ACTIVATE_UB_ROW), n, rows0,
                             SYSTOLE_GET_SIGNED(i, ACTIVATE_UB_STRIDE0),
                             SYSTOLE_GET_SIGNED(i, ACTIVATE_UB_STRIDE1));
  memcpy(ub_row(card, SYSTOLE_UNIT_ACTIVATE, row, 1), out, (size_t)dim);
}

static void read_bank(systole_card *card, const systole_instruction *i) {
  int raw = (int)SYSTOLE_GET(i, ACTIVATE_RAW);
  if (raw && !SYSTOLE_GET(i, ACTIVATE_BIAS)) return;
  uint64_t bank = SYSTOLE_GET(i, ACTIVATE_BANK);
  note_read(card, &card->bank_touched[bank], SYSTOLE_UNIT_ACTIVATE, "parameter bank",
            bank);
}

static void do_activate(systole_card *card, const systole_instruction *i) {
  const int64_t rows =
      (int64_t)(SYSTOLE_GET(i, ACTIVATE_ROWS0) * SYSTOLE_GET(i, ACTIVATE_ROWS1));
  activate a;
  read_activate(&a, card, i);
  read_bank(card, i);
  for (int64_t n = 0; n < rows; n++) activate_row(card, i, &a, n);
}

/* One raw row from the activation unit to the store, when both are at it. */
static int hand_over_row(systole_card *card) {
  unit_state *unit = &card->units[SYSTOLE_UNIT_ACTIVATE];
  unit_state *store = &card->units[SYSTOLE_UNIT_STORE];
  if (!unit->started || !store->started) return 0;
  const systole_instruction *i = &unit->now.instruction, *s = &store->now.instruction;
  if (!SYSTOLE_GET(i, ACTIVATE_RAW) || !SYSTOLE_GET(s, COPY_RAW)) return 0;
  const uint64_t rows0 = SYSTOLE_GET(i, ACTIVATE_ROWS0);
  const uint64_t rows = rows0 * SYSTOLE_GET(i, ACTIVATE_ROWS1);
  if (unit->done == rows || store->done == copy_rows(s)) return 0;
  const int dim = card->geometry.dim, lanes = raw_lanes(card, s);
  activate a;
  read_activate(&a, card, i);
  if (unit->done == 0) read_bank(card, i);
  const int32_t *sums = read_window(card, i, &a, (int64_t)unit->done);
  uint8_t *to = reach(card, SYSTOLE_UNIT_STORE, SYSTOLE_PORT_GMEM0,
                      copy_place(card, s, store->done).address, 4 * (uint64_t)lanes);
  if (to == NULL) return 1;
  int32_t values[kMaxDim];
  systole_activation_raw_pixel(values, sums, a.a.width * dim, dim,
                               (int64_t)(unit->done / rows0),
                               (int64_t)(unit->done % rows0), 0, dim, &a.a);
  for (int c = 0; c < lanes; c++) {
    const uint32_t value = (uint32_t)values[c];
    for (int b = 0; b < 4; b++) to[4 * c + b] = (uint8_t)(value >> (8 * b));
  }
  unit->done++;
  store->done++;
  return 1;
}

/* ---- dispatch, tokens, turns
 * ------------------------------------------------------------ */

/* Errors that dispatch finds; the others are found by the unit when it starts. */
static int found_by_dispatch(int code) {
  return code == SYSTOLE_ERROR_VERSION || code == SYSTOLE_ERROR_OPCODE ||
         code == SYSTOLE_ERROR_RESERVED || code == SYSTOLE_ERROR_COUNT ||
         code == SYSTOLE_ERROR_UNSUPPORTED || code == SYSTOLE_ERROR_NO_END;
}

static int dispatch_one(systole_card *card) {
  if (card->next >= card->launch.instructions) return 0;
  uint64_t address =
      card->launch.program + (uint64_t)card->next * SYSTOLE_INSTRUCTION_BYTES;
  const uint8_t *from =
      locate(card, SYSTOLE_PORT_GMEM1, address, SYSTOLE_INSTRUCTION_BYTES);
  if (from == NULL) {
    raise_error(card, SYSTOLE_ERROR_DECODE, SYSTOLE_UNIT_FETCH, card->next,
                (uint32_t)address);
    return 1;
  }
  entry e;
  memcpy(e.instruction.bytes, from, SYSTOLE_INSTRUCTION_BYTES);
  e.index = card->next;
  uint32_t detail;
  int code = systole_check_instruction(&e.instruction, &card->geometry, &detail);
  int opcode = (int)SYSTOLE_GET(&e.instruction, OPCODE);
  int is_last = card->next + 1 == card->launch.instructions;
  if ((code == SYSTOLE_ERROR_NONE || !found_by_dispatch(code)) &&
      (opcode == SYSTOLE_OP_END) != is_last) {
    code = SYSTOLE_ERROR_NO_END;
    detail = 0;
  }
  if (found_by_dispatch(code)) {
    raise_error(card, code, SYSTOLE_UNIT_DISPATCH, card->next, detail);
    return 1;
  }
  if (opcode == SYSTOLE_OP_END) {
    for (int unit = 0; unit < SYSTOLE_UNITS; unit++) {
      if (card->units[unit].length > 0 || card->units[unit].started) return 0;
    }
    end_run(card);
    return 1;
  }
  unit_state *u = &card->units[systole_opcode_unit(opcode)];
  if (u->length == SYSTOLE_QUEUE_DEPTH) return 0;
  u->queue[(u->head + u->length++) % SYSTOLE_QUEUE_DEPTH] = e;
  card->next++;
  card->counters[SYSTOLE_COUNTER_INSTRUCTIONS]++;
  card->counters[SYSTOLE_COUNTER_GMEM1_READ_BYTES] += SYSTOLE_INSTRUCTION_BYTES;
  return 1;
}

static unsigned missing_tokens(const systole_card *card, int unit, unsigned wait) {
  unsigned missing = 0;
  for (int from = 0; from < SYSTOLE_UNITS; from++) {
    if ((wait >> from & 1u) != 0 && card->tokens[from][unit] == 0) missing |= 1u << from;
  }
  return missing;
}

static int start_unit(systole_card *card, int unit) {
  unit_state *u = &card->units[unit];
  if (u->started || u->length == 0) return 0;
  const systole_instruction *i = &u->queue[u->head].instruction;
  unsigned wait = (unsigned)SYSTOLE_GET(i, WAIT);
  if (missing_tokens(card, unit, wait) != 0) return 0;
  for (int from = 0; from < SYSTOLE_UNITS; from++) {
    if ((wait >> from & 1u) == 0) continue;
    const knowledge *k = &card->token_knows[from][unit][card->token_first[from][unit]];
    for (int other = 0; other < SYSTOLE_UNITS; other++) {
      if (k->of[other] > u->knows.of[other]) u->knows.of[other] = k->of[other];
    }
    card->token_first[from][unit] = (card->token_first[from][unit] + 1) % kMaxTokens;
    card->tokens[from][unit]--;
  }
  u->now = u->queue[u->head];
  u->head = (u->head + 1) % SYSTOLE_QUEUE_DEPTH;
  u->length--;
  u->started = 1;
  u->done = 0;
  u->knows.of[unit]++;
  uint32_t detail;
  int code = systole_check_instruction(&u->now.instruction, &card->geometry, &detail);
  if (code != SYSTOLE_ERROR_NONE) raise_error(card, code, unit, u->now.index, detail);
  return 1;
}

static void finish_unit(systole_card *card, int unit) {
  unit_state *u = &card->units[unit];
  unsigned give = (unsigned)SYSTOLE_GET(&u->now.instruction, GIVE);
  for (int to = 0; to < SYSTOLE_UNITS; to++) {
    if ((give >> to & 1u) == 0) continue;
    if (card->tokens[unit][to] == kMaxTokens) {
      raise_error(card, SYSTOLE_ERROR_TOKEN, unit, u->now.index, 1u << 31 | 1u << to);
      return;
    }
    int slot = (card->token_first[unit][to] + card->tokens[unit][to]++) % kMaxTokens;
    card->token_knows[unit][to][slot] = u->knows;
  }
  u->started = 0;
}

/* One turn of a unit; 0 when it cannot move. */
static int turn(systole_card *card, int unit) {
  unit_state *u = &card->units[unit];
  if (!u->started) return start_unit(card, unit);
  const systole_instruction *i = &u->now.instruction;
  uint64_t work = 0; /* of an instruction that is done in steps */
  int moved = 0;
  switch (unit) {
    case SYSTOLE_UNIT_LOAD:
      do_load(card, i);
      break;
    case SYSTOLE_UNIT_WEIGHT:
      if (SYSTOLE_GET(i, WEIGHTS_PARAMS)) {
        do_params(card, i);
      } else {
        work = SYSTOLE_GET(i, WEIGHTS_TILES);
        if (u->done < work) moved = fetch_tile(card, u);
      }
      break;
    case SYSTOLE_UNIT_ARRAY:
      work = SYSTOLE_GET(i, MATMUL_RED0) * SYSTOLE_GET(i, MATMUL_RED1) *
             SYSTOLE_GET(i, MATMUL_RED2);
      if (u->done < work) moved = use_tile(card, u);
      break;
    case SYSTOLE_UNIT_ACTIVATE:
      if (SYSTOLE_GET(i, ACTIVATE_RAW)) {
        work = SYSTOLE_GET(i, ACTIVATE_ROWS0) * SYSTOLE_GET(i, ACTIVATE_ROWS1);
        moved = hand_over_row(card);
      } else {
        do_activate(card, i);
      }
      break;
    default:
      if (SYSTOLE_GET(i, COPY_RAW)) {
        work = copy_rows(i);
        moved = hand_over_row(card);
      } else {
        do_store(card, i);
      }
      break;
  }
  if (card->finished) return 1;
  if (work > 0 && u->done < work) return moved;
  finish_unit(card, unit);
  return 1;
}

/* Nothing moves: the watchdog names the earliest instruction that waits. */
static void starve(systole_card *card) {
  int stuck = SYSTOLE_UNIT_DISPATCH;
  uint32_t first = card->next, missing = 0;
  for (int unit = 0; unit < SYSTOLE_UNITS; unit++) {
    const unit_state *u = &card->units[unit];
    if (!u->started && u->length == 0) continue;
    const entry *e = u->started ? &u->now : &u->queue[u->head];
    if (stuck != SYSTOLE_UNIT_DISPATCH && e->index > first) continue;
    stuck = unit;
    first = e->index;
    missing = u->started ? 0
                         : missing_tokens(card, unit,
                                          (unsigned)SYSTOLE_GET(&e->instruction, WAIT));
  }
  raise_error(card, SYSTOLE_ERROR_TOKEN, stuck, first, missing);
}

static systole_status machine_start(systole_card *card, const systole_launch *launch) {
  if (card->running) return systole_fail(SYSTOLE_ERR_DEVICE, "a run is going");
  for (int i = 0; i < kMaxBuffers; i++) { /* of the port that is written, too */
    buffer *b = &card->buffers[SYSTOLE_PORT_GMEM0][i];
    free(b->pieces);
    b->pieces = NULL;
    if (!card->strict || b->data == NULL) continue;
    b->pieces = calloc((size_t)(b->bytes / piece_bytes(card) + 1), sizeof *b->pieces);
    if (b->pieces == NULL) {
      return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory for a strict run");
    }
  }
  card->launch = *launch;
  card->running = 1;
  card->finished = 0;
  card->raced = 0;
  card->next = 0;
  card->runs++;
  card->tile_first = card->tile_count = 0;
  memset(card->units, 0, sizeof card->units);
  memset(card->tokens, 0, sizeof card->tokens);
  memset(card->token_first, 0, sizeof card->token_first);
  memset(card->counters, 0, sizeof card->counters);
  memset(card->bank_touched, 0, sizeof card->bank_touched);
  memset(card->ub_touched, 0, card->geometry.ub_rows * sizeof(touched));
  memset(card->acc_touched, 0, card->geometry.acc_rows * sizeof(touched));
  for (int r = SYSTOLE_REG_ERROR_CODE; r <= SYSTOLE_REG_ERROR_DETAIL; r += 4) {
    card->registers[r / 4] = 0;
  }
  card->registers[SYSTOLE_REG_CONTROL / 4] = 1;
  return SYSTOLE_OK;
}

static systole_status machine_wait(systole_card *card, uint32_t slice_ms, int *done) {
  (void)slice_ms;
  *done = 0;
  if (take_fault(card, SYSTOLE_FAULT_HANG)) card->hung = 1;
  if (card->hung) return SYSTOLE_OK;
  if (take_fault(card, SYSTOLE_FAULT_CARD)) {
    end_run(card);
    return systole_fail(SYSTOLE_ERR_DEVICE,
                        "assertion RowsInOrder failed in systole_store");
  }
  if (take_fault(card, SYSTOLE_FAULT_MEMORY)) {
    raise_error(card, SYSTOLE_ERROR_MEMORY, SYSTOLE_UNIT_LOAD, 1, 0);
    card->hung = card->running = 1; /* the kernel stays busy */
    *done = 1;
    return SYSTOLE_OK;
  }
  uint64_t stop = card->counters[SYSTOLE_COUNTER_INSTRUCTIONS] + card->slice;
  while (!card->finished) {
    /* A random actor begins; the next ones are asked until one can move. */
    int first = (int)systole_random_below(&card->random, SYSTOLE_UNITS + 1), moved = 0;
    for (int n = 0; n <= SYSTOLE_UNITS && !moved; n++) {
      int actor = (first + n) % (SYSTOLE_UNITS + 1);
      moved = actor == SYSTOLE_UNITS ? dispatch_one(card) : turn(card, actor);
    }
    if (!moved) starve(card);
    if (card->raced) {
      end_run(card);
      return SYSTOLE_ERR_DEVICE;
    }
    if (card->slice > 0 && card->counters[SYSTOLE_COUNTER_INSTRUCTIONS] >= stop) break;
  }
  /* No clock: a cycle for each row that entered the array, and one to start and to end.
   */
  card->counters[SYSTOLE_COUNTER_START] = card->counters[SYSTOLE_COUNTER_DRAIN] = 1;
  card->counters[SYSTOLE_COUNTER_CYCLES] = card->counters[SYSTOLE_COUNTER_ACTIVE] + 2;
  *done = card->finished;
  return SYSTOLE_OK;
}

static systole_status machine_reset(systole_card *card) {
  card->running = card->hung = 0;
  card->finished = 1;
  card->registers[SYSTOLE_REG_CONTROL / 4] = 4;
  return SYSTOLE_OK;
}

static double machine_clock(const systole_card *card, systole_kind *kind) {
  (void)card;
  *kind = SYSTOLE_KIND_ASSUMED;
  return 300.0;
}

static const char *machine_memory(const systole_card *card) {
  (void)card;
  return "none";
}

static double machine_cpu_seconds(const systole_card *card) {
  (void)card;
  return 0.0;
}

static void machine_list(void (*add)(void *user, const systole_device_info *info),
                         void *user) {
  systole_device_info info = {"functional:16", "accelerator", "interpreter for tests", 1,
                              ""};
  add(user, &info);
}

const systole_card_ops systole_card_functional = {
    .version = SYSTOLE_CARD_VERSION,
    .scheme = "functional",
    .simulated = 1,
    .list = machine_list,
    .open = machine_open,
    .close = machine_close,
    .read_register = machine_read_register,
    .alloc = machine_alloc,
    .free = machine_free,
    .write = machine_write,
    .read = machine_read,
    .start = machine_start,
    .wait = machine_wait,
    .reset = machine_reset,
    .clock_mhz = machine_clock,
    .memory_name = machine_memory,
    .run_cpu_seconds = machine_cpu_seconds,
};

/* ---- for tests
 * -------------------------------------------------------------------------- */

systole_status systole_machine_open(systole_device **out, const char *what,
                                    const systole_device_options *options) {
  return systole_device_open_card(out, &systole_card_functional, what, options);
}

systole_card *systole_machine_card(systole_device *device) {
  systole_card *card = NULL;
  const systole_card_ops *ops = systole_device_card(device, &card);
  return ops == &systole_card_functional ? card : NULL;
}

void systole_machine_seed(systole_card *card, uint64_t seed) {
  systole_random_seed(&card->random, seed);
}

void systole_machine_inject(systole_card *card, systole_machine_fault fault,
                            uint32_t at) {
  card->fault = fault;
  card->fault_at = at;
}

void systole_machine_slice(systole_card *card, uint32_t instructions) {
  card->slice = instructions;
}

void systole_machine_strict(systole_card *card, int strict) { card->strict = strict; }

uint64_t systole_machine_runs(const systole_card *card) { return card->runs; }

int systole_machine_raced(const systole_card *card) { return card->raced; }
