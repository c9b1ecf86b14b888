#include "execute.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "program/check.h"
#include "support/error.h"
#include "support/memory.h"

enum { AxiBoundary = 4096 /* no burst crosses it */ };

/* ---- memory of the machine
 * ------------------------------------------------------------- */

void systole_model_machine_free(systole_model_machine *m) {
  systole_release(m->ub);
  systole_release(m->acc);
  systole_release(m->raw);
  systole_release(m->row);
  for (int i = 0; i < 2; i++) {
    systole_release(m->bank[i].bias);
    systole_release(m->bank[i].multiplier);
    systole_release(m->bank[i].shift);
    systole_axi_store_free(m->memory[i]);
  }
  systole_model_array_free(m->array);
  free(m->instructions);
  for (int u = 0; u < SYSTOLE_UNITS; u++) free(m->of_unit[u]);
  free(m->tiles);
  free(m->starts);
  free(m->tile_from);
  free(m->tile_bytes);
  free(m->sending);
}

systole_status systole_model_machine_make(systole_model_machine *m,
                                          const systole_geometry *g, int portable,
                                          int no_data) {
  const uint64_t dim = (uint64_t)g->dim;
  m->geometry = *g;
  systole_status status =
      systole_allocate((void **)&m->ub, g->ub_rows, dim, "the unified buffer");
  if (status == SYSTOLE_OK) {
    /* Without data the buffer is never looked at, and its pages need not be there. */
    if (!no_data) memset(m->ub, SystoleModelTurn, (size_t)(g->ub_rows * dim));
    status = systole_allocate_zeroed((void **)&m->acc, g->acc_rows * dim, sizeof(int32_t),
                                     "the accumulators");
  }
  if (status == SYSTOLE_OK) {
    status = systole_allocate((void **)&m->raw, dim, sizeof *m->raw, "a raw row");
  }
  if (status == SYSTOLE_OK) status = systole_allocate((void **)&m->row, dim, 1, "a row");
  for (int i = 0; i < 2 && status == SYSTOLE_OK; i++) {
    systole_model_bank *bank = &m->bank[i];
    status = systole_allocate_zeroed((void **)&bank->bias, dim, 4, "column parameters");
    if (status == SYSTOLE_OK) {
      status = systole_allocate_zeroed((void **)&bank->multiplier, dim, 4,
                                       "column parameters");
    }
    if (status == SYSTOLE_OK) {
      status =
          systole_allocate_zeroed((void **)&bank->shift, dim, 1, "column parameters");
    }
  }
  if (status == SYSTOLE_OK)
    status = systole_model_array_create(&m->array, g->dim, portable);
  return status;
}

/* Room for `count` elements of `size` bytes; keeps what is there. */
static systole_status grow(void *where, uint64_t *room, uint64_t count, size_t size) {
  if (count <= *room) return SYSTOLE_OK;
  const uint64_t wanted = count > 2 * *room ? count : 2 * *room;
  void *old, *new;
  memcpy(&old, where, sizeof old);
  new = wanted <= SIZE_MAX / size ? realloc(old, (size_t)wanted * size) : NULL;
  if (new == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for a program of this length");
  }
  memcpy(where, &new, sizeof new);
  *room = wanted;
  return SYSTOLE_OK;
}

/* ---- errors
 * ---------------------------------------------------------------------------- */

static void raise_error(systole_model_machine *m, int code, int unit, uint32_t index,
                        uint32_t detail) {
  if (m->error.code != SYSTOLE_ERROR_NONE) return;
  m->error = (systole_model_error){code, unit, index, detail};
}

/* `bytes` of device memory, or NULL after the error that the port would answer: the
 * address is that of the first burst that leaves the memory. */
static uint8_t *reach(systole_model_machine *m, int unit, uint32_t index, int port,
                      uint64_t address, uint64_t bytes) {
  uint8_t *at = systole_axi_store_at(m->memory[port], address, bytes);
  if (at != NULL) return at;
  uint64_t bad = address;
  while (systole_axi_store_at(m->memory[port], bad, 1) != NULL) {
    bad = (bad / AxiBoundary + 1) * AxiBoundary;
  }
  raise_error(m, SYSTOLE_ERROR_DECODE, unit, index, (uint32_t)bad);
  return NULL;
}

/* ---- memory on a bus
 * ----------------------------------------------------------------- */

/* Data for `unit` into `to`. 1: they are there; 0: they will be, or there is an error. */
static int pull(systole_model_machine *m, int unit, uint32_t index, uint64_t address,
                void *to, uint64_t bytes, uint64_t ahead) {
  uint64_t bad = address;
  if (bytes == 0) return 1;
  const int error = m->bus->read(m->bus->user, unit, address, to, bytes, ahead, &bad);
  if (error == SYSTOLE_MODEL_LATER) m->waits = 1;
  if (error > 0) raise_error(m, error, unit, index, (uint32_t)bad);
  return error == 0;
}

static int push(systole_model_machine *m, uint32_t index, uint64_t address,
                const void *from, uint64_t bytes) {
  uint64_t bad = address;
  const int error = m->bus->write(m->bus->user, index, address, from, bytes, &bad);
  if (error > 0) raise_error(m, error, SYSTOLE_UNIT_STORE, index, (uint32_t)bad);
  return error == 0;
}

/* Where STORE puts `bytes` for `address`: the memory itself, or what close_store sends.
 * NULL after an error. */
static uint8_t *open_store(systole_model_machine *m, uint32_t index, uint64_t address,
                           uint64_t bytes, systole_status *status) {
  if (m->bus == NULL) return reach(m, SYSTOLE_UNIT_STORE, index, 0, address, bytes);
  *status = grow(&m->sending, &m->sending_room, bytes, 1);
  return *status == SYSTOLE_OK ? m->sending : NULL;
}

static int close_store(systole_model_machine *m, uint32_t index, uint64_t address,
                       uint64_t bytes) {
  return m->bus == NULL || push(m, index, address, m->sending, bytes);
}

/* ---- units
 * ------------------------------------------------------------------------------- */

static void turn_bytes(uint8_t *out, const uint8_t *in, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) out[i] = in[i] ^ SystoleModelTurn;
}

/* Returns 1 when all of it is here. */
static int do_load(systole_model_machine *m, const systole_instruction *i,
                   uint32_t index) {
  const int64_t dim = m->geometry.dim;
  const int64_t rows = (int64_t)SYSTOLE_GET(i, COPY_ROWS);
  const int64_t lines = (int64_t)SYSTOLE_GET(i, COPY_LINES);
  const int64_t blocks = (int64_t)SYSTOLE_GET(i, COPY_BLOCKS);
  const int64_t before = (int64_t)SYSTOLE_GET(i, COPY_FILL_BEFORE);
  const int64_t after = (int64_t)SYSTOLE_GET(i, COPY_FILL_AFTER);
  const int fill = (int)SYSTOLE_GET(i, COPY_FILL_BYTE) ^ SystoleModelTurn;
  const int64_t lanes = (int64_t)SYSTOLE_GET(i, COPY_LAST_LANES);
  uint64_t line = 0;
  for (int64_t b = 0; b < blocks; b++) {
    for (int64_t l = 0; l < lines; l++) {
      if (line++ < m->load_lines) continue; /* it came before */
      const uint64_t address =
          m->activations + SYSTOLE_GET(i, COPY_OFFSET) +
          (uint64_t)(b * SYSTOLE_GET_SIGNED(i, COPY_MEM_BLOCK_STRIDE) +
                     l * SYSTOLE_GET_SIGNED(i, COPY_MEM_LINE_STRIDE));
      const int64_t row = (int64_t)SYSTOLE_GET(i, COPY_UB_ROW) +
                          b * SYSTOLE_GET_SIGNED(i, COPY_UB_BLOCK_STRIDE) +
                          l * SYSTOLE_GET_SIGNED(i, COPY_UB_LINE_STRIDE);
      uint8_t *to = m->ub + row * dim;
      const uint8_t *from = to + before * dim;
      const uint64_t bytes = (uint64_t)(rows * dim);
      if (m->bus != NULL) {
        m->generation++;
        if (!pull(m, SYSTOLE_UNIT_LOAD, index, address, to + before * dim, bytes, 0))
          return 0;
        m->load_lines++;
      } else if (bytes > 0) { /* else the line is all fill, and nothing is read */
        from = reach(m, SYSTOLE_UNIT_LOAD, index, 0, address, bytes);
        if (from == NULL) return 0;
      }
      memset(to, fill, (size_t)(before * dim));
      turn_bytes(to + before * dim, from, (size_t)(rows * dim));
      memset(to + (before + rows) * dim, fill, (size_t)(after * dim));
      if (b == blocks - 1 && lanes > 0) {
        for (int64_t r = 0; r < before + rows + after; r++) {
          memset(to + r * dim + lanes, SystoleModelTurn, (size_t)(dim - lanes));
        }
      }
      m->ub_writes += (uint64_t)(before + rows + after);
    }
  }
  m->load_lines = 0;
  return 1;
}

static systole_status do_store(systole_model_machine *m, const systole_instruction *i,
                               uint32_t index) {
  systole_status status = SYSTOLE_OK;
  const int64_t dim = m->geometry.dim;
  const int64_t rows = (int64_t)SYSTOLE_GET(i, COPY_ROWS);
  const int64_t lines = (int64_t)SYSTOLE_GET(i, COPY_LINES);
  const int64_t blocks = (int64_t)SYSTOLE_GET(i, COPY_BLOCKS);
  for (int64_t b = 0; b < blocks; b++) {
    for (int64_t l = 0; l < lines; l++) {
      const uint64_t address =
          m->activations + SYSTOLE_GET(i, COPY_OFFSET) +
          (uint64_t)(b * SYSTOLE_GET_SIGNED(i, COPY_MEM_BLOCK_STRIDE) +
                     l * SYSTOLE_GET_SIGNED(i, COPY_MEM_LINE_STRIDE));
      const int64_t row = (int64_t)SYSTOLE_GET(i, COPY_UB_ROW) +
                          b * SYSTOLE_GET_SIGNED(i, COPY_UB_BLOCK_STRIDE) +
                          l * SYSTOLE_GET_SIGNED(i, COPY_UB_LINE_STRIDE);
      const uint64_t bytes = (uint64_t)(rows * dim);
      uint8_t *to = open_store(m, index, address, bytes, &status);
      if (to == NULL) return status;
      turn_bytes(to, m->ub + row * dim, (size_t)bytes);
      if (!close_store(m, index, address, bytes)) return status;
      m->ub_reads += (uint64_t)rows;
    }
  }
  return status;
}

/* Returns 1 when they are here. */
static int do_params(systole_model_machine *m, const systole_instruction *i,
                     uint32_t index) {
  const int dim = m->geometry.dim;
  systole_model_bank *bank = &m->bank[SYSTOLE_GET(i, WEIGHTS_BANK)];
  const uint64_t address = m->weights + SYSTOLE_GET(i, WEIGHTS_OFFSET);
  const uint64_t bytes = (uint64_t)dim * SYSTOLE_PARAM_BYTES;
  uint8_t pulled[1024 * SYSTOLE_PARAM_BYTES]; /* of the largest array */
  const uint8_t *from = pulled;
  if (m->bus != NULL) {
    const uint64_t tiles = m->tiles_count - m->tiles_used - m->tiles_pulled;
    const uint64_t ahead = tiles * (uint64_t)dim * (uint64_t)dim;
    if (!pull(m, SYSTOLE_UNIT_WEIGHT, index, address, pulled, bytes, ahead)) return 0;
  } else {
    from = reach(m, SYSTOLE_UNIT_WEIGHT, index, 1, address, bytes);
    if (from == NULL) return 0;
  }
  const int32_t sign = 1 << (SYSTOLE_PARAM_MULTIPLIER_BITS - 1);
  for (int c = 0; c < dim; c++, from += SYSTOLE_PARAM_BYTES) {
    uint64_t word = 0;
    for (int b = 0; b < SYSTOLE_PARAM_BYTES; b++) word |= (uint64_t)from[b] << (8 * b);
    bank->bias[c] = (int32_t)(uint32_t)(word >> SYSTOLE_PARAM_BIAS_LSB);
    const int32_t bits = (int32_t)(word >> SYSTOLE_PARAM_MULTIPLIER_LSB &
                                   ((1u << SYSTOLE_PARAM_MULTIPLIER_BITS) - 1));
    bank->multiplier[c] = (bits ^ sign) - sign;
    bank->shift[c] = (uint8_t)(word >> SYSTOLE_PARAM_SHIFT_LSB &
                               ((1u << SYSTOLE_PARAM_SHIFT_BITS) - 1));
  }
  return 1;
}

/* Tiles stay where they are in device memory until a MATMUL uses them: nothing writes
 * there during a run. */
static systole_status do_tiles(systole_model_machine *m, const systole_instruction *i,
                               uint32_t index) {
  const uint64_t tile = (uint64_t)m->geometry.dim * (uint64_t)m->geometry.dim;
  const uint64_t tiles = SYSTOLE_GET(i, WEIGHTS_TILES);
  const uint64_t address = m->weights + SYSTOLE_GET(i, WEIGHTS_OFFSET);
  const uint8_t *from = NULL;
  if (m->bus == NULL) {
    from = reach(m, SYSTOLE_UNIT_WEIGHT, index, 1, address, tiles * tile);
    if (from == NULL) return SYSTOLE_OK;
  }
  /* What is used need not be remembered. */
  if (m->tiles_used > 0 && m->tiles_used == m->tiles_count) {
    m->tiles_used = m->tiles_count = 0;
  }
  systole_status status =
      grow(&m->tiles, &m->tiles_room, m->tiles_count + tiles, sizeof *m->tiles);
  if (status == SYSTOLE_OK && m->bus != NULL) {
    status = grow(&m->tile_from, &m->tile_from_room, m->tiles_count + tiles,
                  sizeof *m->tile_from);
  }
  if (status != SYSTOLE_OK) return status;
  for (uint64_t t = 0; t < tiles; t++) {
    if (m->bus != NULL) {
      m->tile_from[m->tiles_count++] = (systole_model_tile){address + t * tile, index};
    } else {
      m->tiles[m->tiles_count++] = from + t * tile;
    }
  }
  return SYSTOLE_OK;
}

/* On a bus: the tiles of a MATMUL's steps, copied; *here is 1 when all are. */
static systole_status pull_tiles(systole_model_machine *m, uint64_t steps, int *here) {
  const uint64_t tile = (uint64_t)m->geometry.dim * (uint64_t)m->geometry.dim;
  const systole_status status =
      grow(&m->tile_bytes, &m->tile_bytes_room, steps * tile, 1);
  *here = 0;
  if (status != SYSTOLE_OK) return status;
  for (; m->tiles_pulled < steps; m->tiles_pulled++) {
    const systole_model_tile *from = &m->tile_from[m->tiles_used + m->tiles_pulled];
    if (!pull(m, SYSTOLE_UNIT_WEIGHT, from->index, from->address,
              m->tile_bytes + m->tiles_pulled * tile, tile, 0)) {
      return SYSTOLE_OK;
    }
  }
  for (uint64_t t = 0; t < steps; t++) {
    m->tiles[m->tiles_used + t] = m->tile_bytes + t * tile;
  }
  m->tiles_pulled = 0;
  *here = 1;
  return SYSTOLE_OK;
}

static uint64_t matmul_steps(const systole_instruction *i) {
  return SYSTOLE_GET(i, MATMUL_RED0) * SYSTOLE_GET(i, MATMUL_RED1) *
         SYSTOLE_GET(i, MATMUL_RED2);
}

/* *complete is 0 when tiles are still to come. */
static systole_status do_matmul(systole_model_machine *m, const systole_instruction *i,
                                int *complete) {
  const int64_t dim = m->geometry.dim;
  const uint64_t steps = matmul_steps(i);
  systole_status status = grow(&m->starts, &m->starts_room, steps, sizeof *m->starts);
  *complete = 1;
  if (status == SYSTOLE_OK && m->bus != NULL) status = pull_tiles(m, steps, complete);
  if (status != SYSTOLE_OK || !*complete) return status;
  const int64_t red0 = (int64_t)SYSTOLE_GET(i, MATMUL_RED0);
  const int64_t red1 = (int64_t)SYSTOLE_GET(i, MATMUL_RED1);
  const int64_t stride0 = SYSTOLE_GET_SIGNED(i, MATMUL_RED_STRIDE0);
  const int64_t stride1 = SYSTOLE_GET_SIGNED(i, MATMUL_RED_STRIDE1);
  const int64_t stride2 = SYSTOLE_GET_SIGNED(i, MATMUL_RED_STRIDE2);
  const int64_t first = (int64_t)SYSTOLE_GET(i, MATMUL_UB_ROW);
  for (int64_t s = 0; s < (int64_t)steps; s++) {
    m->starts[s] = first + s % red0 * stride0 + s / red0 % red1 * stride1 +
                   s / red0 / red1 * stride2;
  }
  const systole_model_rows rows = {
      .dim = (int)dim,
      .ub = m->ub,
      .rows0 = (int64_t)SYSTOLE_GET(i, MATMUL_ROWS0),
      .rows1 = (int64_t)SYSTOLE_GET(i, MATMUL_ROWS1),
      .stride0 = SYSTOLE_GET_SIGNED(i, MATMUL_ROW_STRIDE0),
      .stride1 = SYSTOLE_GET_SIGNED(i, MATMUL_ROW_STRIDE1),
      .steps = (int64_t)steps,
      .starts = m->starts,
      .tiles = m->tiles + m->tiles_used,
      .acc = m->acc + (int64_t)SYSTOLE_GET(i, MATMUL_ACC_ROW) * dim,
      .overwrite = !SYSTOLE_GET(i, MATMUL_ACCUMULATE),
      .generation = m->generation};
  m->zero_macs += systole_model_array_run(m->array, &rows);
  m->tiles_used += steps;
  m->ub_reads += (uint64_t)(rows.rows0 * rows.rows1) * steps;
  m->weight_rows += (uint64_t)dim * steps;
  return SYSTOLE_OK;
}

/* ACTIVATE as host/engine/epilogue.h says it. */
typedef struct activate {
  systole_activation activation;
  systole_epilogue epilogue;
  const int32_t *sums;
  int64_t rows0, rows1;
} activate;

static void read_activate(activate *out, const systole_model_machine *m,
                          const systole_instruction *i) {
  static const systole_epilogue no_epilogue = SYSTOLE_EPILOGUE_INIT;
  static const systole_activation no_activation = SYSTOLE_ACTIVATION_INIT;
  const systole_model_bank *bank = &m->bank[SYSTOLE_GET(i, ACTIVATE_BANK)];
  systole_epilogue *e = &out->epilogue;
  systole_activation *a = &out->activation;
  *e = no_epilogue;
  e->bias = SYSTOLE_GET(i, ACTIVATE_BIAS) ? bank->bias : NULL;
  e->multiplier = bank->multiplier;
  e->shift = bank->shift;
  e->zero_point = (int8_t)SYSTOLE_GET_SIGNED(i, ACTIVATE_ZERO_POINT);
  e->clamp_low = (int8_t)SYSTOLE_GET_SIGNED(i, ACTIVATE_CLAMP_LOW);
  e->clamp_high = (int8_t)SYSTOLE_GET_SIGNED(i, ACTIVATE_CLAMP_HIGH);
  *a = no_activation;
  a->epilogue = e;
  a->has_residual = (int)SYSTOLE_GET(i, ACTIVATE_RESIDUAL);
  a->residual_multiplier = (int32_t)SYSTOLE_GET_SIGNED(i, ACTIVATE_RES_MUL);
  a->residual_zero_point = (int8_t)SYSTOLE_GET_SIGNED(i, ACTIVATE_RES_ZERO);
  a->pool = (systole_pooling)SYSTOLE_GET(i, ACTIVATE_POOL);
  out->rows0 = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS0);
  out->rows1 = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS1);
  a->height = out->rows1;
  a->width = out->rows0;
  if (a->pool != SYSTOLE_POOLING_NONE) {
    a->height = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_IN_HEIGHT);
    a->width = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_IN_WIDTH);
    a->window_h = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_HEIGHT);
    a->window_w = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_WIDTH);
    a->stride_h = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_STRIDE_H);
    a->stride_w = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_STRIDE_W);
    a->pad_top = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_PAD_TOP);
    a->pad_left = (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_PAD_LEFT);
  }
  /* A window of padding alone reads nothing, wherever the image would lie. */
  const uint64_t first = SYSTOLE_GET(i, ACTIVATE_ACC_ROW);
  out->sums =
      m->acc + (first < m->geometry.acc_rows ? first : 0) * (uint64_t)m->geometry.dim;
}

/* Accumulator rows that output row (y, x) looks at. */
static uint64_t window_rows(const activate *a, int64_t y, int64_t x) {
  int64_t top, bottom, left, right;
  systole_activation_window(&a->activation, y, x, &top, &bottom, &left, &right);
  return top < bottom && left < right ? (uint64_t)((bottom - top) * (right - left)) : 0;
}

static void do_activate(systole_model_machine *m, const systole_instruction *i) {
  const int64_t dim = m->geometry.dim;
  activate a;
  read_activate(&a, m, i);
  const int plain =
      a.activation.pool == SYSTOLE_POOLING_NONE && !a.activation.has_residual;
  const int64_t line = a.activation.width * dim;
  for (int64_t y = 0; y < a.rows1; y++) {
    for (int64_t x = 0; x < a.rows0; x++) {
      uint8_t *out = m->ub + dim * ((int64_t)SYSTOLE_GET(i, ACTIVATE_UB_ROW) +
                                    y * SYSTOLE_GET_SIGNED(i, ACTIVATE_UB_STRIDE1) +
                                    x * SYSTOLE_GET_SIGNED(i, ACTIVATE_UB_STRIDE0));
      if (plain) {
        systole_epilogue_row((int8_t *)out, a.sums + y * line + x * dim, 0, dim,
                             &a.epilogue);
        m->acc_reads++;
      } else {
        if (a.activation.has_residual) {
          const int64_t row = (int64_t)SYSTOLE_GET(i, ACTIVATE_RES_ROW) +
                              y * SYSTOLE_GET_SIGNED(i, ACTIVATE_RES_STRIDE1) +
                              x * SYSTOLE_GET_SIGNED(i, ACTIVATE_RES_STRIDE0);
          turn_bytes((uint8_t *)m->row, m->ub + row * dim, (size_t)dim);
          m->ub_reads++;
        }
        systole_activation_pixel((int8_t *)out, a.sums, line, dim, m->row, y, x, 0, dim,
                                 &a.activation);
        m->acc_reads += window_rows(&a, y, x);
      }
      turn_bytes(out, out, (size_t)dim);
    }
  }
  m->ub_writes += (uint64_t)(a.rows0 * a.rows1);
}

/* ---- events without data
 * ------------------------------------------------------------------ */

static uint64_t copied_rows(const systole_instruction *i) {
  return (SYSTOLE_GET(i, COPY_FILL_BEFORE) + SYSTOLE_GET(i, COPY_ROWS) +
          SYSTOLE_GET(i, COPY_FILL_AFTER)) *
         SYSTOLE_GET(i, COPY_LINES) * SYSTOLE_GET(i, COPY_BLOCKS);
}

static void count_activate(systole_model_machine *m, const systole_instruction *i) {
  activate a;
  read_activate(&a, m, i);
  const uint64_t rows = (uint64_t)(a.rows0 * a.rows1);
  if (a.activation.pool == SYSTOLE_POOLING_NONE) {
    m->acc_reads += rows;
  } else {
    for (int64_t y = 0; y < a.rows1; y++) {
      for (int64_t x = 0; x < a.rows0; x++) m->acc_reads += window_rows(&a, y, x);
    }
  }
  if (SYSTOLE_GET(i, ACTIVATE_RAW)) return;
  m->ub_writes += rows;
  if (a.activation.has_residual) m->ub_reads += rows;
}

void systole_model_count(systole_model_machine *m) {
  for (uint32_t n = 0; n < m->count; n++) {
    const systole_instruction *i = &m->instructions[n];
    switch (SYSTOLE_GET(i, OPCODE)) {
      case SYSTOLE_OP_LOAD:
        m->ub_writes += copied_rows(i);
        break;
      case SYSTOLE_OP_STORE:
        if (!SYSTOLE_GET(i, COPY_RAW)) m->ub_reads += copied_rows(i);
        break;
      case SYSTOLE_OP_MATMUL:
        m->ub_reads +=
            SYSTOLE_GET(i, MATMUL_ROWS0) * SYSTOLE_GET(i, MATMUL_ROWS1) * matmul_steps(i);
        m->weight_rows += (uint64_t)m->geometry.dim * matmul_steps(i);
        break;
      case SYSTOLE_OP_ACTIVATE:
        count_activate(m, i);
        break;
      default:
        break;
    }
  }
}

/* ---- raw results: ACTIVATE and STORE side by side
 * ------------------------------------------ */

static uint64_t raw_rows(const systole_instruction *i) {
  return SYSTOLE_GET(i, ACTIVATE_ROWS0) * SYSTOLE_GET(i, ACTIVATE_ROWS1);
}

static uint64_t copy_rows(const systole_instruction *i) {
  return SYSTOLE_GET(i, COPY_ROWS) * SYSTOLE_GET(i, COPY_LINES) *
         SYSTOLE_GET(i, COPY_BLOCKS);
}

/* Lanes of each row that a raw STORE writes. */
static int64_t raw_lanes(const systole_model_machine *m, const systole_instruction *s) {
  const int64_t lanes = (int64_t)SYSTOLE_GET(s, COPY_RAW_LANES);
  return lanes > 0 ? lanes : m->geometry.dim;
}

/* Address of row n of a raw STORE. */
static uint64_t raw_address(const systole_model_machine *m, const systole_instruction *s,
                            uint64_t n) {
  const int64_t rows = (int64_t)SYSTOLE_GET(s, COPY_ROWS);
  const int64_t lines = (int64_t)SYSTOLE_GET(s, COPY_LINES);
  const int64_t r = (int64_t)n % rows, l = (int64_t)n / rows % lines;
  const int64_t b = (int64_t)n / rows / lines;
  return m->activations + SYSTOLE_GET(s, COPY_OFFSET) +
         (uint64_t)(b * SYSTOLE_GET_SIGNED(s, COPY_MEM_BLOCK_STRIDE) +
                    l * SYSTOLE_GET_SIGNED(s, COPY_MEM_LINE_STRIDE) +
                    r * raw_lanes(m, s) * (int64_t)sizeof(int32_t));
}

/* As many rows as both instructions still have. */
static systole_status hand_over(systole_model_machine *m, const systole_instruction *i,
                                const systole_instruction *s, uint32_t store_index) {
  systole_status status = SYSTOLE_OK;
  const int64_t dim = m->geometry.dim;
  const uint64_t rows = raw_rows(i), stores = copy_rows(s);
  activate a;
  read_activate(&a, m, i);
  const int64_t line = a.activation.width * dim;
  const size_t bytes = (size_t)raw_lanes(m, s) * sizeof(int32_t);
  const int whole = raw_lanes(m, s) == dim;
  while (m->raw_done < rows && m->raw_stored < stores) {
    const int64_t y = (int64_t)m->raw_done / a.rows0, x = (int64_t)m->raw_done % a.rows0;
    /* Rows that stay together on both sides; a pool looks at windows, one by one. */
    const uint64_t run =
        SYSTOLE_GET(s, COPY_ROWS) - m->raw_stored % SYSTOLE_GET(s, COPY_ROWS);
    const int plain = a.activation.pool == SYSTOLE_POOLING_NONE;
    uint64_t together = plain ? rows - m->raw_done : 1;
    if (together > run) together = run;
    const uint64_t address = raw_address(m, s, m->raw_stored);
    uint8_t *to = open_store(m, store_index, address, together * bytes, &status);
    if (to == NULL) return status;
    if (plain && a.epilogue.bias == NULL) {
      const int32_t *from = a.sums + (int64_t)m->raw_done * dim;
      if (whole) memcpy(to, from, together * bytes);
      for (uint64_t r = 0; r < together && !whole; r++) {
        memcpy(to + r * bytes, from + (int64_t)r * dim, bytes);
      }
      m->acc_reads += together;
    } else {
      for (uint64_t r = 0; r < together; r++) {
        const int64_t n = (int64_t)(m->raw_done + r);
        systole_activation_raw_pixel(m->raw, a.sums, line, dim, n / a.rows0, n % a.rows0,
                                     0, dim, &a.activation);
        memcpy(to + r * bytes, m->raw, bytes);
      }
      m->acc_reads += plain ? together : window_rows(&a, y, x);
    }
    if (!close_store(m, store_index, address, together * bytes)) return status;
    m->raw_done += together;
    m->raw_stored += together;
  }
  return status;
}

/* ---- order
 * ------------------------------------------------------------------------------ */

static const systole_instruction *head(const systole_model_machine *m, int unit,
                                       uint32_t *index) {
  if (m->units_next[unit] == m->units_count[unit]) return NULL;
  *index = m->of_unit[unit][m->units_next[unit]];
  return &m->instructions[*index];
}

static unsigned missing(const systole_model_machine *m, int unit,
                        const systole_instruction *i) {
  const unsigned wait = (unsigned)SYSTOLE_GET(i, WAIT);
  unsigned lacking = 0;
  for (int from = 0; from < SYSTOLE_UNITS; from++) {
    if ((wait >> from & 1u) && m->tokens[from][unit] == 0) lacking |= 1u << from;
  }
  return lacking;
}

static void finish(systole_model_machine *m, int unit, const systole_instruction *i) {
  const unsigned wait = (unsigned)SYSTOLE_GET(i, WAIT);
  const unsigned give = (unsigned)SYSTOLE_GET(i, GIVE);
  for (int other = 0; other < SYSTOLE_UNITS; other++) {
    if (wait >> other & 1u) m->tokens[other][unit]--;
    if (give >> other & 1u) m->tokens[unit][other]++;
  }
  m->units_next[unit]++;
  m->executed++;
}

static int is_raw(int unit, const systole_instruction *i) {
  if (unit == SYSTOLE_UNIT_ACTIVATE) return (int)SYSTOLE_GET(i, ACTIVATE_RAW);
  return unit == SYSTOLE_UNIT_STORE && (int)SYSTOLE_GET(i, COPY_RAW);
}

/* Raw heads of both units, as far as they go. *moved says whether anything did. */
static systole_status try_raw(systole_model_machine *m, int *moved) {
  uint32_t index, store_index;
  *moved = 0;
  const systole_instruction *i = head(m, SYSTOLE_UNIT_ACTIVATE, &index);
  const systole_instruction *s = head(m, SYSTOLE_UNIT_STORE, &store_index);
  if (i == NULL || s == NULL || !is_raw(SYSTOLE_UNIT_ACTIVATE, i) ||
      !is_raw(SYSTOLE_UNIT_STORE, s)) {
    return SYSTOLE_OK;
  }
  /* Tokens are looked at when an instruction starts. */
  if (m->raw_done == 0 && missing(m, SYSTOLE_UNIT_ACTIVATE, i)) {
    return SYSTOLE_OK;
  }
  if (m->raw_stored == 0 && missing(m, SYSTOLE_UNIT_STORE, s)) return SYSTOLE_OK;
  const systole_status status = hand_over(m, i, s, store_index);
  *moved = 1;
  if (status != SYSTOLE_OK || m->error.code != SYSTOLE_ERROR_NONE) return status;
  if (m->raw_done == raw_rows(i)) {
    m->raw_done = 0;
    finish(m, SYSTOLE_UNIT_ACTIVATE, i);
  }
  if (m->raw_stored == copy_rows(s)) {
    m->raw_stored = 0;
    finish(m, SYSTOLE_UNIT_STORE, s);
  }
  return SYSTOLE_OK;
}

/* The head of a unit, if it can go. *moved says whether it did. */
static systole_status try_unit(systole_model_machine *m, int unit, int *moved) {
  uint32_t index;
  const systole_instruction *i = head(m, unit, &index);
  systole_status status = SYSTOLE_OK;
  int complete = 1;
  *moved = 0;
  if (i == NULL || is_raw(unit, i) || missing(m, unit, i)) return SYSTOLE_OK;
  switch (unit) {
    case SYSTOLE_UNIT_LOAD:
      complete = do_load(m, i, index);
      m->generation++;
      break;
    case SYSTOLE_UNIT_WEIGHT:
      if (SYSTOLE_GET(i, WEIGHTS_PARAMS)) {
        complete = do_params(m, i, index);
      } else {
        status = do_tiles(m, i, index);
      }
      break;
    case SYSTOLE_UNIT_ARRAY:
      if (m->tiles_count - m->tiles_used < matmul_steps(i)) return SYSTOLE_OK;
      status = do_matmul(m, i, &complete);
      break;
    case SYSTOLE_UNIT_ACTIVATE:
      do_activate(m, i);
      m->generation++;
      break;
    default:
      status = do_store(m, i, index);
  }
  if (!complete && m->error.code == SYSTOLE_ERROR_NONE) return status;
  *moved = 1;
  if (status == SYSTOLE_OK && m->error.code == SYSTOLE_ERROR_NONE) finish(m, unit, i);
  return status;
}

/* Nothing can move: the earliest instruction that waits, as the watchdog would name it.
 */
void systole_model_starve(systole_model_machine *m) {
  uint32_t first = UINT32_MAX;
  int stuck = SYSTOLE_UNIT_DISPATCH;
  unsigned lacking = 0;
  for (int unit = 0; unit < SYSTOLE_UNITS; unit++) {
    uint32_t index;
    const systole_instruction *i = head(m, unit, &index);
    if (i == NULL || index > first) continue;
    first = index;
    stuck = unit;
    lacking = missing(m, unit, i);
  }
  raise_error(m, SYSTOLE_ERROR_TOKEN, stuck, first, lacking);
}

systole_status systole_model_continue(systole_model_machine *m, uint32_t stop,
                                      int *done) {
  systole_status status = SYSTOLE_OK;
  const uint32_t all = m->count > 0 ? m->count - 1 : 0; /* END is none of them */
  while (status == SYSTOLE_OK && m->error.code == SYSTOLE_ERROR_NONE &&
         m->executed < all && m->executed < stop) {
    int any;
    m->waits = 0;
    status = try_raw(m, &any);
    for (int unit = 0; unit < SYSTOLE_UNITS && status == SYSTOLE_OK &&
                       m->error.code == SYSTOLE_ERROR_NONE;
         unit++) {
      int moved;
      status = try_unit(m, unit, &moved);
      any |= moved;
    }
    if (!any && m->waits) break; /* for data */
    if (!any && status == SYSTOLE_OK) systole_model_starve(m);
  }
  *done = m->executed == all || m->error.code != SYSTOLE_ERROR_NONE;
  return status;
}

/* ---- the program
 * -------------------------------------------------------------------------- */

/* Errors that dispatch finds; the others are found by the unit. */
static int unit_that_finds(int code, int opcode) {
  switch (code) {
    case SYSTOLE_ERROR_VERSION:
    case SYSTOLE_ERROR_OPCODE:
    case SYSTOLE_ERROR_RESERVED:
    case SYSTOLE_ERROR_COUNT:
    case SYSTOLE_ERROR_UNSUPPORTED:
    case SYSTOLE_ERROR_NO_END:
      return SYSTOLE_UNIT_DISPATCH;
    default:
      return systole_opcode_unit(opcode);
  }
}

static void check_program(systole_model_machine *m) {
  systole_checker checker;
  systole_checker_make(&checker, &m->geometry);
  for (uint32_t n = 0; n < m->count; n++) {
    const systole_instruction *i = &m->instructions[n];
    uint32_t detail = 0;
    int code = systole_checker_check(&checker, i, &detail);
    const int opcode = (int)SYSTOLE_GET(i, OPCODE);
    if (code == SYSTOLE_ERROR_NONE && (opcode == SYSTOLE_OP_END) != (n + 1 == m->count)) {
      code = SYSTOLE_ERROR_NO_END;
      detail = 0;
    }
    if (code == SYSTOLE_ERROR_NONE) continue;
    raise_error(m, code, unit_that_finds(code, opcode), n, detail);
    return;
  }
}

/* Room for a program of that many; what is there stays. */
static systole_status make_room(systole_model_machine *m, uint32_t instructions) {
  uint64_t room = m->room;
  if (instructions <= m->room) return SYSTOLE_OK;
  systole_status status =
      grow(&m->instructions, &room, instructions, sizeof *m->instructions);
  for (int u = 0; u < SYSTOLE_UNITS && status == SYSTOLE_OK; u++) {
    room = m->room;
    status = grow(&m->of_unit[u], &room, instructions, sizeof *m->of_unit[u]);
  }
  if (status == SYSTOLE_OK) m->room = room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
  return status;
}

/* On a bus: page by page, so that a count without end meets the end of memory first. */
static systole_status pull_program(systole_model_machine *m, uint32_t instructions) {
  const uint32_t page = AxiBoundary / SYSTOLE_INSTRUCTION_BYTES;
  uint32_t here = 0;
  while (here < instructions) {
    const uint64_t address = m->program + (uint64_t)here * SYSTOLE_INSTRUCTION_BYTES;
    const uint32_t to_end =
        (uint32_t)(AxiBoundary - address % AxiBoundary) / SYSTOLE_INSTRUCTION_BYTES;
    uint32_t next = to_end < page ? to_end : page;
    if (next > instructions - here) next = instructions - here;
    const systole_status status = make_room(m, here + next);
    if (status != SYSTOLE_OK) return status;
    if (!pull(m, SYSTOLE_UNIT_FETCH, 0, address, m->instructions + here,
              (uint64_t)next * SYSTOLE_INSTRUCTION_BYTES, 0)) {
      return SYSTOLE_OK;
    }
    here += next;
  }
  return SYSTOLE_OK;
}

systole_status systole_model_begin(systole_model_machine *m, uint64_t program,
                                   uint64_t weights, uint64_t activations,
                                   uint32_t instructions) {
  m->program = program;
  m->weights = weights;
  m->activations = activations;
  m->count = 0;
  m->executed = 0;
  m->error = (systole_model_error){0};
  m->zero_macs = m->ub_reads = m->ub_writes = m->weight_rows = m->acc_reads = 0;
  m->tiles_count = m->tiles_used = 0;
  m->raw_done = m->raw_stored = 0;
  m->load_lines = m->tiles_pulled = 0;
  memset(m->tokens, 0, sizeof m->tokens);
  memset(m->units_count, 0, sizeof m->units_count);
  memset(m->units_next, 0, sizeof m->units_next);
  if ((program | weights | activations) % SYSTOLE_BLOCK_ALIGN != 0) {
    raise_error(m, SYSTOLE_ERROR_ALIGN, SYSTOLE_UNIT_DISPATCH, 0, 0);
    return SYSTOLE_OK;
  }
  if (instructions == 0) {
    raise_error(m, SYSTOLE_ERROR_NO_END, SYSTOLE_UNIT_DISPATCH, 0, 0);
    return SYSTOLE_OK;
  }
  systole_status status = SYSTOLE_OK;
  if (m->bus != NULL) {
    status = pull_program(m, instructions);
  } else {
    const uint64_t bytes = (uint64_t)instructions * SYSTOLE_INSTRUCTION_BYTES;
    const uint8_t *from = reach(m, SYSTOLE_UNIT_FETCH, 0, 1, program, bytes);
    if (from != NULL) status = make_room(m, instructions);
    if (from != NULL && status == SYSTOLE_OK)
      memcpy(m->instructions, from, (size_t)bytes);
  }
  if (status != SYSTOLE_OK || m->error.code != SYSTOLE_ERROR_NONE) return status;
  m->count = instructions;
  check_program(m);
  if (m->error.code != SYSTOLE_ERROR_NONE) return SYSTOLE_OK;
  for (uint32_t n = 0; n + 1 < instructions; n++) {
    const int unit = systole_opcode_unit((int)SYSTOLE_GET(&m->instructions[n], OPCODE));
    m->of_unit[unit][m->units_count[unit]++] = n;
  }
  return SYSTOLE_OK;
}
