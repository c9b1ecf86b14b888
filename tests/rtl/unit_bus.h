// What stands around a unit of the kernel in its test: the instruction queue's head, a
// read master and a write master, each as hesitant as their contracts allow.
#ifndef SYSTOLE_TESTS_RTL_UNIT_BUS_H_
#define SYSTOLE_TESTS_RTL_UNIT_BUS_H_

#include <deque>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "axi_bus.h"
#include "systole_isa.h"

namespace systole {

// An instruction as its unit sees it.
class Instruction {
 public:
  Instruction() { std::memset(words_, 0, sizeof words_); }
  Instruction &Set(int lsb, int bits, uint64_t value) {
    for (int i = 0; i < bits; i++) {
      const uint32_t bit = 1u << (lsb + i) % 32;
      uint32_t &word = words_[(lsb + i) / 32];
      word = (value >> i & 1) ? word | bit : word & ~bit;
    }
    return *this;
  }
  const uint32_t *words() const { return words_; }

 private:
  uint32_t words_[SYSTOLE_INSTRUCTION_BITS / 32];
};

#define SYSTOLE_FIELD(name) SYSTOLE_##name##_LSB, SYSTOLE_##name##_BITS

struct UnitReadPins {
  CData *req_valid, *req_ready;
  QData *req_addr;
  IData *req_beats;
  CData *data_valid, *data_ready;
  void *data;
};

template <class Top>
UnitReadPins UnitReadPinsOf(Top &top) {
  return {&top.req_valid_o,  &top.req_ready_i,  &top.req_addr_o, &top.req_beats_o,
          &top.data_valid_i, &top.data_ready_o, &top.data_i};
}

// systole_axi_read and the memory behind it, from the client's side.
class Reader {
 public:
  Reader(const UnitReadPins &pins, unsigned bytes, Random *random)
      : pins_(pins), bytes_(bytes), random_(random) {
    *pins_.req_ready = 0;
    *pins_.data_valid = 0;
    std::memset(pins_.data, 0, bytes);
  }

  int req_percent = 100, data_percent = 100;
  uint64_t latency = 5;
  int most_wait = -1;  // cycles for which the client may let a beat wait; -1: any number
  std::vector<Burst> requests;
  uint64_t beats = 0;
  size_t outstanding() const { return beats_.size(); }

  void Drive() {
    *pins_.req_ready = random_->Percent(req_percent);
    if (!*pins_.data_valid && !beats_.empty() && now_ >= beats_.front().ready_at &&
        random_->Percent(data_percent)) {
      *pins_.data_valid = 1;
      for (unsigned i = 0; i < bytes_; i++) {
        static_cast<uint8_t *>(pins_.data)[i] = Background(beats_.front().address + i);
      }
    } else if (!*pins_.data_valid) {
      random_->Fill(pins_.data, bytes_);
    }
  }

  void Sample() {
    if (*pins_.req_valid) {
      SYSTOLE_CHECK(*pins_.req_beats > 0, "a request of no beats");
      SYSTOLE_CHECK(*pins_.req_addr % bytes_ == 0, "a request off the beat");
    }
    if (waits_) {
      SYSTOLE_CHECK(*pins_.req_valid && *pins_.req_addr == address_,
                    "a request changed or vanished before it was taken");
    }
    waits_ = *pins_.req_valid && !*pins_.req_ready;
    address_ = *pins_.req_addr;
    if (*pins_.req_valid && *pins_.req_ready) {
      requests.push_back({*pins_.req_addr, *pins_.req_beats});
      for (unsigned i = 0; i < *pins_.req_beats; i++) {
        beats_.push_back({*pins_.req_addr + uint64_t{i} * bytes_, now_ + latency});
      }
    }
    taken_ = *pins_.data_valid && *pins_.data_ready;
    waited_ = *pins_.data_valid && !taken_ ? waited_ + 1 : 0;
    SYSTOLE_CHECK(most_wait < 0 || waited_ <= most_wait, "a beat waits for %d cycles",
                  waited_);
    if (taken_) {
      beats_.pop_front();
      beats++;
    }
    now_++;
  }

  void Advance() {
    if (taken_) *pins_.data_valid = 0;
  }

  // As after an abort: nothing is under way.
  void Forget() {
    beats_.clear();
    waits_ = taken_ = false;
    *pins_.data_valid = 0;
  }

 private:
  struct Beat {
    uint64_t address, ready_at;
  };
  UnitReadPins pins_;
  unsigned bytes_;
  Random *random_;
  std::deque<Beat> beats_;
  uint64_t now_ = 0;
  bool waits_ = false, taken_ = false;
  int waited_ = 0;
  uint64_t address_ = 0;
};

// Units that report errors of their own take the instruction's number along.
template <class Top, class = void>
struct TakesNumber : std::false_type {};
template <class Top>
struct TakesNumber<Top, std::void_t<decltype(std::declval<Top &>().head_index_i)>>
    : std::true_type {};

// The head of the unit's queue, and the tokens that come back. Instructions are numbered
// from 0.
template <class Top>
class Queue {
 public:
  Queue(Top *top, Random *random) : top_(top), random_(random) {
    top_->head_valid_i = 0;
    std::memset(&top_->head_i, 0, sizeof top_->head_i);
  }

  int percent = 100;
  std::deque<Instruction> instructions;
  std::deque<unsigned> gives;  // of accepted instructions, not yet done
  unsigned done = 0, accepted = 0;

  void Drive() {
    if (!top_->head_valid_i && !instructions.empty() && random_->Percent(percent)) {
      top_->head_valid_i = 1;
      std::memcpy(&top_->head_i, instructions.front().words(), sizeof top_->head_i);
      if constexpr (TakesNumber<Top>::value) top_->head_index_i = accepted;
    }
  }

  void Sample() {
    SYSTOLE_CHECK(!top_->accept_o || top_->head_valid_i, "accept_o without a head");
    if (top_->done_o) {
      SYSTOLE_CHECK(!gives.empty(), "done_o without an instruction");
      SYSTOLE_CHECK(top_->give_o == gives.front(), "give_o is %02x, expected %02x",
                    top_->give_o, gives.front());
      gives.pop_front();
      done++;
    }
    accepted_ = top_->accept_o;
    if (accepted_) {
      gives.push_back(instructions.front().words()[0] >> SYSTOLE_GIVE_LSB & 31);
      instructions.pop_front();
      accepted++;
    }
  }

  void Advance() {
    if (accepted_) {
      top_->head_valid_i = 0;
      std::memset(&top_->head_i, 0, sizeof top_->head_i);
    }
  }

 private:
  Top *top_;
  Random *random_;
  bool accepted_ = false;
};

// The fields that LOAD and STORE share.
struct Copy {
  unsigned give = 0, ub_row = 0, raw = 0;
  uint64_t offset = 0;
  unsigned rows = 1, lines = 1, blocks = 1;
  unsigned before = 0, after = 0, fill = 0;
  uint64_t line_stride = 0, block_stride = 0;
  int ub_line_stride = 0, ub_block_stride = 0;
  unsigned lanes = 0, raw_lanes = 0;

  Instruction Encode() const {
    Instruction i;
    i.Set(SYSTOLE_FIELD(GIVE), give)
        .Set(SYSTOLE_FIELD(COPY_UB_ROW), ub_row)
        .Set(SYSTOLE_FIELD(COPY_RAW), raw)
        .Set(SYSTOLE_FIELD(COPY_OFFSET), offset)
        .Set(SYSTOLE_FIELD(COPY_ROWS), rows)
        .Set(SYSTOLE_FIELD(COPY_LINES), lines)
        .Set(SYSTOLE_FIELD(COPY_BLOCKS), blocks)
        .Set(SYSTOLE_FIELD(COPY_FILL_BEFORE), before)
        .Set(SYSTOLE_FIELD(COPY_FILL_AFTER), after)
        .Set(SYSTOLE_FIELD(COPY_FILL_BYTE), fill)
        .Set(SYSTOLE_FIELD(COPY_MEM_LINE_STRIDE), line_stride)
        .Set(SYSTOLE_FIELD(COPY_MEM_BLOCK_STRIDE), block_stride)
        .Set(SYSTOLE_FIELD(COPY_UB_LINE_STRIDE), static_cast<uint64_t>(ub_line_stride))
        .Set(SYSTOLE_FIELD(COPY_UB_BLOCK_STRIDE), static_cast<uint64_t>(ub_block_stride))
        .Set(SYSTOLE_FIELD(COPY_LAST_LANES), lanes)
        .Set(SYSTOLE_FIELD(COPY_RAW_LANES), raw_lanes);
    return i;
  }
};

}  // namespace systole

#endif  // SYSTOLE_TESTS_RTL_UNIT_BUS_H_
