/* What axi_memory.h does not inline: presets, random stalls, faults. */
#include "axi_memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

const uint8_t systole_axi_nothing[64] = {0};

/* ---- presets -------------------------------------------------------------------------
 */

/* A latency is the memory's own plus the way there and back.
 *
 * Memory: idle read latency of a page miss and best sequential throughput as measured on
 * an Alveo U280 (Wang et al., "Shuhai: Benchmarking High Bandwidth Memory on FPGAs", FCCM
 * 2020, tables IV and V: DDR4-2400 106.6 ns, 18.0 of 19.2 GB/s a channel; HBM2 137.8
 * ns, 13.27 of 14.4 GB/s a pseudo channel). Way: 120 ns for register slices, clock
 * crossings and the interconnect of a Vitis platform, both directions together. Estimate.
 *
 * Writes are answered with the same latency (estimate), and reads and writes do not
 * compete for the bus here, although they do on a real DDR4 channel: a stream that reads
 * and writes at the full rate at once is therefore too fast. */
typedef struct preset {
  const char *name;
  uint32_t latency_cycles; /* fixed in cycles, or 0 */
  double latency_ns;
  double megabytes_per_s; /* 0: as fast as the port */
} preset;

static const preset presets[] = {
    {"ideal", 64, 0.0, 0.0},
    {"ddr4", 0, 106.6 + 120.0, 18000.0},
    {"hbm2", 0, 137.8 + 120.0, 13270.0},
};

enum { PRESETS = sizeof presets / sizeof presets[0] };

/* In cycles; far beyond any memory, and small enough for every sum of times. */
enum { LONGEST_LATENCY = 1000000 };

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b) {
  while (b) {
    const uint32_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

const char *systole_axi_preset_name(int index) {
  return index >= 0 && index < PRESETS ? presets[index].name : NULL;
}

/* 0, and rates from that of the port on: full rate. Megabytes and megahertz are rounded
 * to thousandths: the rate is then a fraction of whole numbers and the accumulator exact.
 */
static void set_rate(systole_axi_timing *out, double megabytes_per_s, double port) {
  out->rate_beats = 1;
  out->rate_cycles = 1;
  if (!(megabytes_per_s > 0.0 && megabytes_per_s < port)) return;
  const uint32_t beats = (uint32_t)lround(megabytes_per_s * 1e3);
  const uint32_t cycles = (uint32_t)lround(port * 1e3);
  const uint32_t divisor = greatest_common_divisor(beats, cycles);
  out->rate_beats = beats / divisor;
  out->rate_cycles = cycles / divisor;
}

int systole_axi_preset(systole_axi_timing *out, const char *name, int axi_bytes,
                       double clock_mhz) {
  for (int i = 0; i < PRESETS; i++) {
    const preset *p = &presets[i];
    if (strcmp(p->name, name) != 0) continue;
    const double port = clock_mhz * axi_bytes;
    out->name = p->name;
    out->latency = p->latency_cycles;
    if (out->latency == 0) out->latency = (uint32_t)ceil(p->latency_ns * clock_mhz / 1e3);
    set_rate(out, p->megabytes_per_s, port);
    return 0;
  }
  return -1;
}

/* A number above 0 with an optional unit behind it, up to the next '+'. Returns 1, and
 * whether the unit was there. */
static int read_amount(double *value, int *has_unit, const char **cursor,
                       const char *unit) {
  char *end = NULL;
  const char first = **cursor;
  if ((first < '0' || first > '9') && first != '.') return 0;
  *value = strtod(*cursor, &end);
  *has_unit = strncmp(end, unit, strlen(unit)) == 0;
  if (*has_unit) end += strlen(unit);
  *cursor = end;
  return isfinite(*value) && *value > 0.0 && (*end == '+' || *end == '\0');
}

static int change_port(systole_axi_timing out[2], const char **cursor, double port,
                       double clock_mhz) {
  static const char *const keys[] = {"gmem0=", "gmem1=", "latency0=", "latency1="};
  double value = 0.0;
  int unit = 0, key = 0;
  while (key < 4 && strncmp(*cursor, keys[key], strlen(keys[key])) != 0) key++;
  if (key == 4) return 0;
  *cursor += strlen(keys[key]);
  if (!read_amount(&value, &unit, cursor, key < 2 ? "GB/s" : "ns")) return 0;
  if (key < 2) {
    if (value < 1e-3 || value > 1e4) return 0;
    set_rate(&out[key], 1e3 * value, port);
  } else {
    if (unit) value = ceil(value * clock_mhz / 1e3);
    if (value > LONGEST_LATENCY || floor(value) < value) return 0;
    out[key - 2].latency = (uint32_t)value;
  }
  return 1;
}

int systole_axi_ports(systole_axi_timing out[2], const char *name, int axi_bytes,
                      double clock_mhz) {
  char base[16];
  const char *cursor = strchr(name, '+');
  const size_t length = cursor != NULL ? (size_t)(cursor - name) : strlen(name);
  if (length >= sizeof base) return -1;
  memcpy(base, name, length);
  base[length] = '\0';
  if (systole_axi_preset(&out[0], base, axi_bytes, clock_mhz) != 0) return -1;
  out[1] = out[0];
  while (cursor != NULL && *cursor == '+') {
    cursor++;
    if (!change_port(out, &cursor, clock_mhz * axi_bytes, clock_mhz)) return -2;
  }
  return 0;
}

/* ---- the port ------------------------------------------------------------------------
 */

void systole_axi_port_init(systole_axi_port *port, const systole_axi_store *store,
                           uint32_t bytes, const systole_axi_timing *timing) {
  memset(port, 0, sizeof *port);
  port->store = store;
  port->bytes = bytes;
  port->timing = *timing;
  systole_axi_port_reset(port);
}

void systole_axi_port_reset(systole_axi_port *port) {
  port->r_data = systole_axi_nothing;
  port->r_valid = port->r_last = port->r_response = 0;
  port->b_valid = port->b_response = 0;
  port->ar_ready = port->aw_ready = port->w_ready = 0;
  port->read_head = port->read_count = 0;
  port->write_head = port->write_count = 0;
  port->reply_head = port->reply_count = 0;
  port->read_due = port->write_due = 0;
  port->read_from = port->reply_from = UINT64_MAX;
  port->read_beats = port->write_beats = port->written_bytes = 0;
}

/* ---- random stalls -------------------------------------------------------------------
 */

/* splitmix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators",
 * OOPSLA 2014. Any state is good, neighbouring seeds give unrelated streams. */
static uint64_t draw64(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

static void update_stalling(systole_axi_port *port) {
  port->stalling = port->random != 0 || port->hung != 0;
  if (!port->stalling) port->withheld = 0;
}

void systole_axi_port_stall(systole_axi_port *port, uint64_t seed) {
  port->random = seed;
  for (int i = 0; i < 5; i++) {
    port->chance[i] = 0;
    port->long_stall[i] = 0;
  }
  if (seed) {
    /* Each channel gets a character of its own, from never stalled to nearly always: a
     * fault that needs one slow and one fast channel is found, too. */
    static const uint8_t chances[8] = {0, 16, 64, 96, 128, 176, 208, 240};
    uint64_t bits = draw64(&port->random);
    for (int i = 0; i < 5; i++, bits >>= 3) port->chance[i] = chances[bits & 7];
    if (port->random == 0) port->random = 1;
  }
  update_stalling(port);
}

void systole_axi_port_draw(systole_axi_port *port) {
  port->withheld = port->hung;
  if (port->random == 0) return;
  uint64_t bits = draw64(&port->random);
  if (port->random == 0) port->random = 1; /* 0 would mean "no stalls" */
  for (int i = 0; i < 5; i++, bits >>= 12) {
    if (port->long_stall[i] != 0) {
      port->long_stall[i]--;
      port->withheld |= 1 << i;
    } else if ((bits & 255) < port->chance[i]) {
      port->withheld |= 1 << i;
      /* One stall in 16 grows to as many as 120 cycles, long enough to fill every queue.
       */
      if ((bits >> 8 & 15) == 0) port->long_stall[i] = (uint8_t)((bits & 15) * 8);
    }
  }
}

/* ---- faults --------------------------------------------------------------------------
 */

int systole_axi_port_fault(systole_axi_port *port, const systole_axi_fault *fault) {
  if (port->faults == SYSTOLE_AXI_FAULTS) return -1;
  port->fault[port->faults++] = *fault;
  return 0;
}

void systole_axi_port_hang(systole_axi_port *port, int channels) {
  port->hung |= channels;
  update_stalling(port);
}

void systole_axi_port_heal(systole_axi_port *port) {
  port->faults = 0;
  port->hung = 0;
  update_stalling(port);
}

static int touches(const systole_axi_fault *fault, uint64_t address, uint64_t bytes,
                   int channel) {
  return (fault->channels & channel) && address <= fault->last &&
         address + (bytes - 1) >= fault->first;
}

int systole_axi_port_fault_at(const systole_axi_port *port, uint64_t address,
                              int channel) {
  int response = SYSTOLE_AXI_OKAY;
  for (uint32_t i = 0; i < port->faults; i++) {
    if (touches(&port->fault[i], address, port->bytes, channel) &&
        port->fault[i].response > response) {
      response = port->fault[i].response;
    }
  }
  return response;
}

void systole_axi_port_mark(const systole_axi_port *port, systole_axi_burst *burst,
                           int channel) {
  for (uint32_t i = 0; i < port->faults; i++) {
    if (!touches(&port->fault[i], burst->address, (uint64_t)burst->beats * port->bytes,
                 channel)) {
      continue;
    }
    burst->faulty = 1;
    if (port->fault[i].silent) burst->silent = 1;
  }
}
