/* The timing law of the AXI memory, to the cycle; throttling, stalls, faults. */
#include "axi_memory.h"

#include <criterion/criterion.h>
#include <string.h>

#define BASE UINT64_C(0x100000000000)
enum { BYTES = 16, MEMORY = 1 << 20, LATENCY = 64 };

typedef struct bench {
  systole_axi_store *store;
  systole_axi_port port;
  uint64_t now;
} bench;

static void make(bench *b, uint32_t beats, uint32_t cycles) {
  const systole_axi_timing timing = {"test", LATENCY, beats, cycles};
  b->store = systole_axi_store_create(BASE, MEMORY);
  cr_assert_not_null(b->store);
  for (int i = 0; i < MEMORY; i++) b->store->data[i] = (uint8_t)(i * 7 + (i >> 8));
  systole_axi_port_init(&b->port, b->store, BYTES, &timing);
  b->now = 0;
}

/* One cycle of the read side. Returns 1 when a beat was transferred; *taken when the
 * address was. */
static int read_cycle(bench *b, int valid, uint64_t address, uint32_t length, int ready,
                      int *taken) {
  if (b->port.stalling) systole_axi_port_draw(&b->port);
  (void)systole_axi_read_present(&b->port, b->now);
  const int beat = b->port.r_valid && ready;
  *taken = valid && b->port.ar_ready;
  systole_axi_read_accept(&b->port, b->now, valid, address, length, ready);
  b->now++;
  return beat;
}

/* Reads one burst that is addressed now, with ready always up; cycle of each beat. */
static void read_burst(bench *b, uint64_t address, uint32_t beats, uint64_t *when) {
  int taken;
  uint32_t seen = 0;
  (void)read_cycle(b, 1, address, beats - 1, 1, &taken);
  cr_assert(taken);
  for (int limit = 0; seen < beats && limit < 100000; limit++) {
    const uint64_t cycle = b->now;
    if (read_cycle(b, 0, 0, 0, 1, &taken)) when[seen++] = cycle;
  }
  cr_assert_eq(seen, beats);
}

Test(axi_memory, first_beat_after_latency_then_one_a_cycle) {
  bench b;
  uint64_t when[256];
  make(&b, 1, 1);
  b.now = 1000;
  read_burst(&b, BASE, 256, when);
  for (uint64_t i = 0; i < 256; i++) cr_expect_eq(when[i], 1000 + LATENCY + i);
  cr_expect_eq(b.port.read_beats, 256);
  cr_expect(systole_axi_read_idle(&b.port, b.now));
  systole_axi_store_free(b.store);
}

Test(axi_memory, data_and_last_are_right) {
  bench b;
  int taken;
  make(&b, 1, 1);
  const uint64_t address = BASE + 4096 - 5 * BYTES;
  (void)read_cycle(&b, 1, address, 4, 1, &taken);
  b.now = LATENCY;
  for (int i = 0; i < 5; i++) {
    cr_expect_eq(systole_axi_read_present(&b.port, b.now), 1);
    cr_expect_eq(b.port.r_last, i == 4);
    cr_expect_eq(b.port.r_response, SYSTOLE_AXI_OKAY);
    cr_expect_arr_eq(b.port.r_data, b.store->data + (address - BASE) + (size_t)i * BYTES,
                     BYTES);
    systole_axi_read_accept(&b.port, b.now, 0, 0, 0, 1);
    b.now++;
  }
  systole_axi_store_free(b.store);
}

Test(axi_memory, bursts_follow_without_a_gap_and_one_address_is_taken_a_cycle) {
  bench b;
  int taken;
  uint64_t beats = 0, first = 0, last = 0;
  make(&b, 1, 1);
  for (int i = 0; i < 400; i++) {
    const uint64_t cycle = b.now;
    const int beat = read_cycle(&b, i < 4, BASE + (uint64_t)i * 1024, 63, 1, &taken);
    cr_expect_eq(taken, i < 4, "an address every cycle");
    if (beat) {
      if (beats++ == 0) first = cycle;
      last = cycle;
    }
  }
  cr_expect_eq(beats, 256);
  cr_expect_eq(first, LATENCY);
  cr_expect_eq(last, LATENCY + 255);
  systole_axi_store_free(b.store);
}

Test(axi_memory, a_late_address_waits_its_own_latency) {
  bench b;
  int taken;
  uint64_t cycles[8];
  int beats = 0;
  make(&b, 1, 1);
  for (int i = 0; i < 300; i++) {
    const uint64_t cycle = b.now;
    if (read_cycle(&b, i == 0 || i == 10, BASE, 3, 1, &taken)) cycles[beats++] = cycle;
  }
  cr_assert_eq(beats, 8);
  for (uint64_t i = 0; i < 4; i++) {
    cr_expect_eq(cycles[i], LATENCY + i);
    cr_expect_eq(cycles[4 + i], 10 + LATENCY + i);
  }
  systole_axi_store_free(b.store);
}

Test(axi_memory, a_beat_is_held_until_ready) {
  bench b;
  int taken;
  make(&b, 1, 1);
  (void)read_cycle(&b, 1, BASE, 1, 0, &taken);
  while (b.now < LATENCY + 20) {
    (void)read_cycle(&b, 0, 0, 0, 0, &taken);
    if (b.now > LATENCY) {
      cr_expect(b.port.r_valid);
      cr_expect_eq(b.port.r_last, 0);
      cr_expect_arr_eq(b.port.r_data, b.store->data, BYTES);
    }
  }
  cr_expect(read_cycle(&b, 0, 0, 0, 1, &taken));
  cr_expect(read_cycle(&b, 0, 0, 0, 1, &taken), "the next beat one cycle later");
  systole_axi_store_free(b.store);
}

Test(axi_memory, depth_bounds_the_addresses_under_way) {
  bench b;
  int taken, accepted = 0;
  make(&b, 1, 1);
  for (unsigned i = 0; i < SYSTOLE_AXI_DEPTH + 50; i++) {
    (void)read_cycle(&b, 1, BASE, 0, 0, &taken);
    accepted += taken;
  }
  cr_expect_eq(accepted, SYSTOLE_AXI_DEPTH);
  systole_axi_store_free(b.store);
}

/* With a rate of n in d, beat i of a long burst comes ceil(i d / n) cycles after the
 * first. */
Test(axi_memory, throttling_is_exact) {
  static const uint32_t rates[][2] = {{1, 2}, {15, 16}, {11, 16},
                                      {2, 3}, {1, 7},   {663, 960}};
  for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
    bench b;
    uint64_t when[256];
    const uint64_t n = rates[r][0], d = rates[r][1];
    make(&b, rates[r][0], rates[r][1]);
    b.now = 12345;
    read_burst(&b, BASE, 256, when);
    cr_expect_eq(when[0], 12345 + LATENCY);
    for (uint64_t i = 1; i < 256; i++) {
      /* The first beat may fall anywhere within its cycle, so one unit of rounding stays.
       */
      const uint64_t least = (i * d) / n, most = (i * d + n - 1) / n;
      const uint64_t found = when[i] - when[0];
      cr_expect(found >= least && found <= most, "%lu/%lu beat %lu after %lu cycles", n,
                d, i, found);
      cr_expect_gt(when[i], when[i - 1]);
    }
    systole_axi_store_free(b.store);
  }
}

Test(axi_memory, a_pause_earns_no_burst_of_beats) {
  bench b;
  uint64_t when[8];
  make(&b, 1, 4);
  read_burst(&b, BASE, 8, when);
  b.now += 1000;
  const uint64_t start = b.now;
  read_burst(&b, BASE, 8, when);
  for (uint64_t i = 0; i < 8; i++) cr_expect_eq(when[i], start + LATENCY + 4 * i);
  systole_axi_store_free(b.store);
}

/* One cycle of the write side; results in *aw, *w, *answer (transferred). */
static void write_cycle(bench *b, int aw_valid, uint64_t address, uint32_t length,
                        int w_valid, const void *data, uint64_t strobe, int ready,
                        int *aw, int *w, int *answer) {
  if (b->port.stalling) systole_axi_port_draw(&b->port);
  systole_axi_write_present(&b->port, b->now);
  *aw = aw_valid && b->port.aw_ready;
  *w = w_valid && b->port.w_ready;
  *answer = b->port.b_valid && ready;
  systole_axi_write_accept(&b->port, b->now, aw_valid, address, length, w_valid, data,
                           strobe, ready, BYTES);
  b->now++;
}

Test(axi_memory, write_data_follows_its_address_and_is_answered_after_latency) {
  bench b;
  int aw, w, answer;
  uint8_t data[BYTES];
  uint64_t answered = 0;
  make(&b, 1, 1);
  for (uint64_t i = 0; i < 200; i++) {
    memset(data, (int)i, sizeof data);
    write_cycle(&b, i == 0, BASE + 4096, 9, i <= 10, data, 0xFFFF, 1, &aw, &w, &answer);
    cr_expect_eq(aw, i == 0);
    cr_expect_eq(w, i >= 1 && i <= 10, "cycle %lu", i);
    if (answer) {
      answered = i;
      cr_expect_eq(b.port.b_response, SYSTOLE_AXI_OKAY);
    }
  }
  cr_expect_eq(answered, 10 + LATENCY);
  for (int i = 0; i < 10; i++) cr_expect_eq(b.store->data[4096 + i * BYTES], i + 1);
  cr_expect_eq(b.port.written_bytes, 10 * BYTES);
  cr_expect(systole_axi_write_idle(&b.port, b.now));
  systole_axi_store_free(b.store);
}

Test(axi_memory, strobes_choose_bytes) {
  bench b;
  int aw, w, answer;
  uint8_t data[BYTES], expected[BYTES];
  make(&b, 1, 1);
  memset(data, 0xEE, sizeof data);
  memcpy(expected, b.store->data, BYTES);
  for (int i = 0; i < BYTES; i++) {
    if (0x8421 >> i & 1) expected[i] = 0xEE;
  }
  write_cycle(&b, 1, BASE, 1, 0, data, 0, 1, &aw, &w, &answer);
  write_cycle(&b, 0, 0, 0, 1, data, 0x8421, 1, &aw, &w, &answer);
  cr_expect(w);
  cr_expect_arr_eq(b.store->data, expected, BYTES);
  memcpy(expected, b.store->data + BYTES, BYTES);
  write_cycle(&b, 0, 0, 0, 1, data, 0, 1, &aw, &w, &answer);
  cr_expect(w);
  cr_expect_arr_eq(b.store->data + BYTES, expected, BYTES, "no strobe, no byte");
  cr_expect_eq(b.port.written_bytes, 4);
  systole_axi_store_free(b.store);
}

Test(axi_memory, reads_do_not_slow_writes) {
  bench alone, both;
  int aw, w, answer, taken;
  uint8_t data[BYTES] = {0};
  make(&alone, 3, 4);
  make(&both, 3, 4);
  for (uint64_t i = 0; i < 500; i++) {
    int w2, aw2, answer2;
    write_cycle(&alone, i == 0, BASE, 255, 1, data, 0xFFFF, 1, &aw, &w, &answer);
    (void)read_cycle(&both, i % 8 == 0, BASE, 7, 1, &taken);
    both.now--;
    write_cycle(&both, i == 0, BASE, 255, 1, data, 0xFFFF, 1, &aw2, &w2, &answer2);
    cr_expect(aw == aw2 && w == w2 && answer == answer2, "cycle %lu", i);
  }
  systole_axi_store_free(alone.store);
  systole_axi_store_free(both.store);
}

/* A hash of everything a port does in 5000 cycles of steady demand, and how much it
 * moved. */
static uint64_t fingerprint(uint64_t seed, uint64_t *beats) {
  bench b;
  uint64_t hash = 1469598103934665603u;
  uint8_t data[BYTES] = {0};
  make(&b, 1, 1);
  systole_axi_port_stall(&b.port, seed);
  for (int i = 0; i < 5000; i++) {
    int aw, w, answer, taken;
    const int beat = read_cycle(&b, 1, BASE, 3, 1, &taken);
    b.now--;
    b.port.stalling = 0; /* drawn once a cycle, by the read side */
    write_cycle(&b, 1, BASE, 3, 1, data, 0xFFFF, 1, &aw, &w, &answer);
    b.port.stalling = seed != 0;
    hash = (hash ^ (uint64_t)(beat | taken << 1 | aw << 2 | w << 3 | answer << 4)) *
           1099511628211u;
  }
  *beats = b.port.read_beats + b.port.write_beats;
  systole_axi_store_free(b.store);
  return hash;
}

Test(axi_memory, stalls_depend_on_the_seed_alone) {
  uint64_t none, moved, again;
  const uint64_t quiet = fingerprint(0, &none);
  int different = 0;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    const uint64_t hash = fingerprint(seed, &moved);
    cr_expect_eq(hash, fingerprint(seed, &again), "seed %lu", seed);
    cr_expect_eq(moved, again);
    cr_expect_leq(moved, none, "stalls only delay");
    cr_expect_gt(moved, 0, "and never for ever");
    different += hash != quiet;
  }
  cr_expect_geq(different, 18);
}

Test(axi_memory, stalled_data_is_right_and_in_order) {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    bench b;
    int taken;
    uint64_t asked = 0, seen = 0;
    make(&b, 7, 8);
    systole_axi_port_stall(&b.port, seed);
    for (int i = 0; i < 200000 && seen < 4 * 500; i++) {
      if (b.port.stalling) systole_axi_port_draw(&b.port);
      (void)systole_axi_read_present(&b.port, b.now);
      const int ready = i % 3 != 0;
      if (b.port.r_valid && ready) {
        cr_assert_arr_eq(b.port.r_data, b.store->data + seen * BYTES, BYTES);
        cr_assert_eq(b.port.r_last, seen % 4 == 3);
        seen++;
      }
      taken = asked < 500 && b.port.ar_ready;
      systole_axi_read_accept(&b.port, b.now++, asked < 500, BASE + asked * 4 * BYTES, 3,
                              ready);
      asked += (uint64_t)taken;
    }
    cr_expect_eq(seen, 4 * 500, "seed %lu", seed);
    systole_axi_store_free(b.store);
  }
}

/* ---- faults
 * ------------------------------------------------------------------------------ */

Test(axi_memory, outside_the_memory_is_decerr_beat_by_beat) {
  bench b;
  int taken;
  static const uint8_t zeros[BYTES];
  make(&b, 1, 1);
  (void)read_cycle(&b, 1, BASE + MEMORY - 2 * BYTES, 3, 1, &taken);
  b.now = LATENCY;
  for (int i = 0; i < 4; i++) {
    (void)systole_axi_read_present(&b.port, b.now);
    cr_expect(b.port.r_valid);
    cr_expect_eq(b.port.r_response, i < 2 ? SYSTOLE_AXI_OKAY : SYSTOLE_AXI_DECERR);
    if (i >= 2) cr_expect_arr_eq(b.port.r_data, zeros, BYTES);
    systole_axi_read_accept(&b.port, b.now++, 0, 0, 0, 1);
  }
  systole_axi_store_free(b.store);
}

/* Writes `beats` beats and returns the response, -1 when none came in time. */
static int write_burst(bench *b, uint64_t address, uint32_t beats) {
  int aw, w, answer;
  uint32_t sent = 0;
  const uint8_t data[BYTES] = {1};
  write_cycle(b, 1, address, beats - 1, 0, data, 0, 1, &aw, &w, &answer);
  for (int i = 0; i < 2000; i++) {
    write_cycle(b, 0, 0, 0, sent < beats, data, 0xFFFF, 1, &aw, &w, &answer);
    sent += (uint32_t)w;
    if (answer) return b->port.b_response;
  }
  return -1;
}

Test(axi_memory, write_outside_is_decerr_once) {
  bench b;
  make(&b, 1, 1);
  cr_expect_eq(write_burst(&b, BASE + MEMORY - BYTES, 2), SYSTOLE_AXI_DECERR);
  cr_expect_eq(write_burst(&b, BASE + MEMORY - BYTES, 1), SYSTOLE_AXI_OKAY);
  cr_expect_eq(write_burst(&b, 0, 4), SYSTOLE_AXI_DECERR);
  systole_axi_store_free(b.store);
}

Test(axi_memory, slverr_only_where_it_was_asked_for) {
  bench b;
  int taken;
  make(&b, 1, 1);
  const systole_axi_fault fault = {BASE + 100, BASE + 100, SYSTOLE_AXI_R,
                                   SYSTOLE_AXI_SLVERR, 0};
  cr_assert_eq(systole_axi_port_fault(&b.port, &fault), 0);
  cr_expect_eq(write_burst(&b, BASE, 16), SYSTOLE_AXI_OKAY, "the fault is of reads");
  const uint64_t start = b.now;
  (void)read_cycle(&b, 1, BASE, 15, 1, &taken);
  b.now = start + LATENCY;
  for (int i = 0; i < 16; i++) {
    (void)systole_axi_read_present(&b.port, b.now);
    cr_expect_eq(b.port.r_response, i == 6 ? SYSTOLE_AXI_SLVERR : SYSTOLE_AXI_OKAY,
                 "beat %d", i);
    systole_axi_read_accept(&b.port, b.now++, 0, 0, 0, 1);
  }
  systole_axi_port_heal(&b.port);
  const systole_axi_fault other = {BASE, BASE + 15, SYSTOLE_AXI_B, SYSTOLE_AXI_SLVERR, 0};
  cr_assert_eq(systole_axi_port_fault(&b.port, &other), 0);
  cr_expect_eq(write_burst(&b, BASE, 4), SYSTOLE_AXI_SLVERR);
  cr_expect_eq(write_burst(&b, BASE + 16, 4), SYSTOLE_AXI_OKAY);
  systole_axi_store_free(b.store);
}

Test(axi_memory, silence_is_silence_until_reset) {
  bench b;
  int taken, beats = 0;
  make(&b, 1, 1);
  const systole_axi_fault fault = {BASE, BASE + 63, SYSTOLE_AXI_R | SYSTOLE_AXI_B, 0, 1};
  cr_assert_eq(systole_axi_port_fault(&b.port, &fault), 0);
  (void)read_cycle(&b, 1, BASE + 32, 3, 1, &taken);
  for (int i = 0; i < 10000; i++)
    beats += read_cycle(&b, i == 5, BASE + 4096, 3, 1, &taken);
  cr_expect_eq(beats, 0, "nothing overtakes it");
  cr_expect_eq(write_burst(&b, BASE, 4), -1);
  systole_axi_port_heal(&b.port);
  systole_axi_port_reset(&b.port);
  cr_expect_eq(write_burst(&b, BASE, 4), SYSTOLE_AXI_OKAY);
  systole_axi_store_free(b.store);
}

Test(axi_memory, a_hung_channel_never_moves) {
  bench b;
  int taken, total = 0;
  make(&b, 1, 1);
  systole_axi_port_hang(&b.port, SYSTOLE_AXI_AR);
  for (int i = 0; i < 1000; i++) {
    (void)read_cycle(&b, 1, BASE, 0, 1, &taken);
    total += taken;
  }
  cr_expect_eq(total, 0);
  systole_axi_port_heal(&b.port);
  (void)read_cycle(&b, 1, BASE, 0, 1, &taken);
  cr_expect(taken);
  systole_axi_store_free(b.store);
}

/* Two ports see the same requests; one is not called in cycles that it calls idle. */
Test(axi_memory, idle_cycles_may_be_left_out) {
  bench all, some;
  uint32_t skipped = 0, beats = 0, answers = 0, random = 7;
  make(&all, 3, 4);
  make(&some, 3, 4);
  int ar = 0, aw = 0, owed = 0;
  uint32_t length = 0;
  for (uint64_t now = 0; now < 20000; now++) {
    random = random * 1664525u + 1013904223u;
    const int r_ready = random >> 30 != 0;
    const int w = owed > 0 && (random >> 27 & 3) != 0;
    if (!ar && !aw && (random >> 12 & 63) == 0) {
      ar = 1;
      aw = owed == 0;
      length = random >> 20 & 15;
    }
    const uint64_t address = BASE + (random >> 8 & 0xFF0);
    bench *const both[2] = {&all, &some};
    int took_ar = 0, took_aw = 0, took_w = 0;
    for (int i = 0; i < 2; i++) {
      systole_axi_port *port = &both[i]->port;
      const int reads =
          i == 0 || ar || port->r_valid || !systole_axi_read_idle(port, now);
      const int writes =
          i == 0 || aw || w || port->b_valid || !systole_axi_write_idle(port, now);
      skipped += (uint32_t)!reads + (uint32_t)!writes;
      if (reads) {
        (void)systole_axi_read_present(port, now);
        if (i == 0) {
          beats += port->r_valid && r_ready;
          took_ar = ar && port->ar_ready;
        }
      }
      if (writes) {
        systole_axi_write_present(port, now);
        if (i == 0) {
          answers += port->b_valid;
          took_aw = aw && port->aw_ready;
          took_w = w && port->w_ready;
        }
      }
      if (i == 1) {
        cr_assert_eq(port->r_valid, all.port.r_valid, "cycle %lu", now);
        cr_assert_eq(port->b_valid, all.port.b_valid, "cycle %lu", now);
        if (ar) cr_assert_eq(port->ar_ready, took_ar);
        if (aw) cr_assert_eq(port->aw_ready, took_aw);
        if (w) cr_assert_eq(port->w_ready, took_w);
      }
    }
    for (int i = 0; i < 2; i++) {
      systole_axi_port *port = &both[i]->port;
      static const uint8_t data[BYTES];
      if (i == 0 || ar || port->r_valid || !systole_axi_read_idle(port, now)) {
        systole_axi_read_accept(port, now, ar, address, length, r_ready);
      }
      if (i == 0 || aw || w || port->b_valid || !systole_axi_write_idle(port, now)) {
        systole_axi_write_accept(port, now, aw, address, length, w, data, 0xFFFF, 1,
                                 BYTES);
      }
    }
    if (took_ar) ar = 0;
    if (took_aw) {
      aw = 0;
      owed = (int)length + 1;
    }
    owed -= took_w;
  }
  cr_expect_eq(some.port.read_beats, all.port.read_beats);
  cr_expect_eq(some.port.write_beats, all.port.write_beats);
  cr_expect(skipped > 1000 && beats > 1000 && answers > 50, "%u %u %u", skipped, beats,
            answers);
  systole_axi_store_free(all.store);
  systole_axi_store_free(some.store);
}

Test(axi_memory, fault_list_is_bounded) {
  bench b;
  const systole_axi_fault fault = {0, 1, SYSTOLE_AXI_R, SYSTOLE_AXI_SLVERR, 0};
  make(&b, 1, 1);
  for (int i = 0; i < SYSTOLE_AXI_FAULTS; i++) {
    cr_expect_eq(systole_axi_port_fault(&b.port, &fault), 0);
  }
  cr_expect_eq(systole_axi_port_fault(&b.port, &fault), -1);
  systole_axi_store_free(b.store);
}

/* ---- presets
 * ------------------------------------------------------------------------------ */

Test(axi_memory, presets_are_what_they_say) {
  systole_axi_timing t;
  cr_expect_str_eq(systole_axi_preset_name(0), "ideal");
  cr_expect_null(systole_axi_preset_name(3));
  cr_expect_null(systole_axi_preset_name(-1));
  cr_expect_eq(systole_axi_preset(&t, "ddr5", 16, 300.0), -1);
  for (int bytes = 4; bytes <= 64; bytes *= 2) {
    cr_expect_eq(systole_axi_preset(&t, "ideal", bytes, 300.0), 0);
    cr_expect(t.latency == 64 && t.rate_beats == 1 && t.rate_cycles == 1);
  }
  /* 18.0 GB/s at 300 MHz are 60 bytes a cycle: a narrow port is not held up. */
  cr_expect_eq(systole_axi_preset(&t, "ddr4", 16, 300.0), 0);
  cr_expect(t.latency == 68 && t.rate_beats == 1 && t.rate_cycles == 1);
  cr_expect_eq(systole_axi_preset(&t, "ddr4", 64, 300.0), 0);
  cr_expect(t.latency == 68 && t.rate_beats == 15 && t.rate_cycles == 16);
  cr_expect_eq(systole_axi_preset(&t, "hbm2", 64, 300.0), 0);
  cr_expect_eq(t.latency, 78);
  cr_expect_float_eq((double)t.rate_beats / t.rate_cycles, 13270.0 / 19200.0, 1e-9);
  /* A slower kernel waits fewer cycles for the same memory. */
  cr_expect_eq(systole_axi_preset(&t, "hbm2", 64, 100.0), 0);
  cr_expect(t.latency == 26 && t.rate_beats == 1 && t.rate_cycles == 1);
}

/* A port of its own rate and latency, each way of writing it. */
Test(axi_memory, ports_are_what_they_say) {
  systole_axi_timing t[2];
  cr_assert_eq(systole_axi_ports(t, "ideal", 64, 700.0), 0);
  cr_expect(t[0].latency == 64 && t[1].latency == 64 && t[1].rate_cycles == 1);
  cr_assert_eq(systole_axi_ports(t, "ideal+gmem1=34GB/s+latency1=100ns", 64, 700.0), 0);
  cr_expect(t[0].latency == 64 && t[0].rate_beats == 1 && t[0].rate_cycles == 1);
  cr_expect_eq(t[1].latency, 70);
  cr_expect_float_eq((double)t[1].rate_beats / t[1].rate_cycles, 34.0 / 44.8, 1e-9);
  cr_assert_eq(systole_axi_ports(t, "ddr4+gmem0=2+latency0=9", 64, 300.0), 0);
  cr_expect_str_eq(t[0].name, "ddr4");
  cr_expect_eq(t[0].latency, 9);
  cr_expect_eq(t[1].latency, 68);
  cr_expect_float_eq((double)t[0].rate_beats / t[0].rate_cycles, 2.0 / 19.2, 1e-9);
  cr_expect_float_eq((double)t[1].rate_beats / t[1].rate_cycles, 15.0 / 16.0, 1e-9);
  /* Faster than the port is as fast as the port; the last word counts. */
  cr_assert_eq(systole_axi_ports(t, "hbm2+gmem0=900+gmem1=1+gmem1=900", 16, 300.0), 0);
  cr_expect(t[0].rate_beats == 1 && t[0].rate_cycles == 1);
  cr_expect(t[1].rate_beats == 1 && t[1].rate_cycles == 1);
  static const char *const wrong[] = {
      "ideal+",         "ideal+gmem1",        "ideal+gmem1=",       "ideal+gmem1=x",
      "ideal+gmem2=1",  "ideal+gmem1=0",      "ideal+gmem1=-1",     "ideal+gmem1=1e9",
      "ideal+gmem1=1+", "ideal+gmem1=1GB",    "ideal+gmem1=inf",    "ideal+latency0=0",
      "ideal+latency0", "ideal+latency0=1.5", "ideal+latency0=1e7", "ideal+latency0=5s"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    cr_expect_eq(systole_axi_ports(t, wrong[i], 16, 300.0), -2, "%s", wrong[i]);
  }
  cr_expect_eq(systole_axi_ports(t, "tape", 16, 300.0), -1);
  cr_expect_eq(systole_axi_ports(t, "", 16, 300.0), -1);
  cr_expect_eq(systole_axi_ports(t, "a-name-that-is-much-too-long", 16, 300.0), -1);
}
