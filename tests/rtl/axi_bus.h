// The memory's side of an AXI port, as hostile as AXI allows, and the rules of the
// master's side.
//
// Addresses and data are taken and answered at random (but legal) moments. Everything a
// master must not do fails the test: giving up or changing an offer, crossing 4 KiB, too
// many beats, data for a burst that has no address, a wrong last beat.
#ifndef SYSTOLE_TESTS_RTL_AXI_BUS_H_
#define SYSTOLE_TESTS_RTL_AXI_BUS_H_

#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench.h"

namespace systole {

// Bursts of any master start and end inside one of these.
constexpr uint64_t kPage = 4096;

struct Burst {
  uint64_t address;
  unsigned beats;
  bool operator==(const Burst &other) const {
    return address == other.address && beats == other.beats;
  }
};

// The bursts that systole_axi_address makes of a request: they end at multiples of
// min(4096, 256 beats).
inline std::vector<Burst> Cut(uint64_t address, uint64_t beats, unsigned bytes) {
  const uint64_t span = kPage < 256 * bytes ? kPage : 256 * bytes;
  std::vector<Burst> bursts;
  while (beats) {
    const uint64_t room = (span - address % span) / bytes;
    const uint64_t part = beats < room ? beats : room;
    bursts.push_back({address, static_cast<unsigned>(part)});
    address += part * bytes;
    beats -= part;
  }
  return bursts;
}

// What memory holds where nobody has written: different everywhere, also far apart.
inline uint8_t Background(uint64_t address) {
  uint64_t x = address * 0xD6E8FEB86659FD93u;
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93u;
  return static_cast<uint8_t>(x >> 56);
}

enum Response { kOkay = 0, kExclusive = 1, kSlaveError = 2, kDecodeError = 3 };

struct ErrorReport {
  uint32_t address;
  bool decode;
  bool operator==(const ErrorReport &other) const {
    return address == other.address && decode == other.decode;
  }
};

// One address channel as the memory sees it: valid holds, with the same address.
class AddressRules {
 public:
  void Check(const char *name, bool valid, bool ready, uint64_t address, unsigned length,
             unsigned bytes) {
    if (waits_) {
      SYSTOLE_CHECK(valid && address == address_ && length == length_,
                    "%s changed or vanished before it was taken", name);
    }
    if (valid) {
      SYSTOLE_CHECK(address % bytes == 0, "%s is not a multiple of %u", name, bytes);
      SYSTOLE_CHECK(address % kPage + (length + 1) * uint64_t{bytes} <= kPage,
                    "%s crosses 4 KiB", name);
    }
    if (valid && !waits_) offers_++;
    waits_ = valid && !ready;
    address_ = address;
    length_ = length;
  }
  // Addresses that ever stood on the channel.
  uint64_t offers() const { return offers_; }

 private:
  bool waits_ = false;
  uint64_t address_ = 0;
  unsigned length_ = 0;
  uint64_t offers_ = 0;
};

struct ReadPins {
  CData *ar_valid, *ar_ready;
  QData *ar_addr;
  CData *ar_len;
  CData *r_valid, *r_ready;
  void *r_data;
  CData *r_resp, *r_last;
};

template <class Top>
ReadPins ReadPinsOf(Top &top) {
  return {&top.ar_valid_o, &top.ar_ready_i, &top.ar_addr_o, &top.ar_len_o, &top.r_valid_i,
          &top.r_ready_o,  &top.r_data_i,   &top.r_resp_i,  &top.r_last_i};
}

class ReadSlave {
 public:
  ReadSlave(const ReadPins &pins, unsigned bytes, Random *random)
      : pins_(pins), bytes_(bytes), random_(random) {
    memory = Background;
    response = [](uint64_t) { return kOkay; };
    *pins_.ar_ready = 0;
    *pins_.r_valid = 0;
    *pins_.r_resp = 0;
    *pins_.r_last = 0;
    std::memset(pins_.r_data, 0, bytes);
  }

  int ar_percent = 100, r_percent = 100;
  uint64_t latency = 1;  // cycles from an address to its first beat, at least
  std::function<uint8_t(uint64_t)> memory;
  std::function<Response(uint64_t)> response;  // of the beat at an address

  std::vector<Burst> accepted;
  std::vector<ErrorReport> errors;  // one per burst that has a failing beat
  uint64_t beats = 0;
  size_t in_flight() const { return bursts_.size(); }
  uint64_t offers() const { return rules_.offers(); }

  // Before Settle().
  void Drive() {
    *pins_.ar_ready = random_->Percent(ar_percent);
    if (!*pins_.r_valid && !bursts_.empty() && now_ >= bursts_.front().ready_at &&
        random_->Percent(r_percent)) {
      const InFlight &burst = bursts_.front();
      *pins_.r_valid = 1;
      *pins_.r_last = burst.position + 1 == burst.beats;
      const uint64_t address = burst.address + uint64_t{burst.position} * bytes_;
      *pins_.r_resp = response(address);
      for (unsigned i = 0; i < bytes_; i++) {
        static_cast<uint8_t *>(pins_.r_data)[i] = memory(address + i);
      }
    } else if (!*pins_.r_valid) {
      random_->Fill(pins_.r_data, bytes_);
      *pins_.r_last = random_->Percent(50);
      *pins_.r_resp = random_->Below(4);
    }
  }

  // Between Settle() and Edge().
  void Sample() {
    rules_.Check("AR", *pins_.ar_valid, *pins_.ar_ready, *pins_.ar_addr, *pins_.ar_len,
                 bytes_);
    const bool beat = *pins_.r_valid && *pins_.r_ready;
    if (*pins_.ar_valid && *pins_.ar_ready) {
      accepted.push_back({*pins_.ar_addr, *pins_.ar_len + 1u});
      bursts_.push_back({*pins_.ar_addr, *pins_.ar_len + 1u, 0, now_ + latency, false});
    }
    if (beat) {
      InFlight &burst = bursts_.front();
      beats++;
      if (*pins_.r_resp >= kSlaveError && !burst.failed) {
        burst.failed = true;
        errors.push_back(
            {static_cast<uint32_t>(burst.address), *pins_.r_resp == kDecodeError});
      }
      if (++burst.position == burst.beats) bursts_.pop_front();
    }
    clear_ = beat;
    now_++;
  }

  // After Edge().
  void Advance() {
    if (clear_) *pins_.r_valid = 0;
  }

 private:
  struct InFlight {
    uint64_t address;
    unsigned beats, position;
    uint64_t ready_at;
    bool failed;
  };
  ReadPins pins_;
  unsigned bytes_;
  Random *random_;
  AddressRules rules_;
  std::deque<InFlight> bursts_;
  uint64_t now_ = 0;
  bool clear_ = false;
};

struct WritePins {
  CData *aw_valid, *aw_ready;
  QData *aw_addr;
  CData *aw_len;
  CData *w_valid, *w_ready;
  const void *w_data;
  const void *w_strb;
  CData *w_last;
  CData *b_valid, *b_ready, *b_resp;
};

template <class Top>
WritePins WritePinsOf(Top &top) {
  return {&top.aw_valid_o, &top.aw_ready_i, &top.aw_addr_o, &top.aw_len_o,
          &top.w_valid_o,  &top.w_ready_i,  &top.w_data_o,  &top.w_strb_o,
          &top.w_last_o,   &top.b_valid_i,  &top.b_ready_o, &top.b_resp_i};
}

class WriteSlave {
 public:
  WriteSlave(const WritePins &pins, unsigned bytes, Random *random)
      : pins_(pins), bytes_(bytes), random_(random) {
    response = [](uint64_t) { return kOkay; };
    *pins_.aw_ready = 0;
    *pins_.w_ready = 0;
    *pins_.b_valid = 0;
    *pins_.b_resp = 0;
  }

  int aw_percent = 100, w_percent = 100, b_percent = 100;
  uint64_t latency = 1;  // cycles from the last beat to the response, at least
  std::function<Response(uint64_t)> response;  // of the burst at an address

  std::unordered_map<uint64_t, uint8_t> memory;  // what was written
  std::vector<Burst> accepted;
  std::vector<ErrorReport> errors;
  uint64_t beats = 0, strobed_beats = 0;
  uint64_t offers() const { return rules_.offers(); }
  // Bursts whose response has not been taken, and whether some data stands without an
  // address.
  size_t in_flight() const { return addresses_.size() + finished_.size(); }
  bool owes_address() const { return !data_.empty() && addresses_.empty(); }

  void Drive() {
    *pins_.aw_ready = random_->Percent(aw_percent);
    *pins_.w_ready = random_->Percent(w_percent);
    if (!*pins_.b_valid) {
      if (!finished_.empty() && now_ >= finished_.front().ready_at &&
          random_->Percent(b_percent)) {
        *pins_.b_valid = 1;
        *pins_.b_resp = finished_.front().response;
      } else {
        *pins_.b_resp = random_->Below(4);
      }
    }
  }

  void Sample() {
    rules_.Check("AW", *pins_.aw_valid, *pins_.aw_ready, *pins_.aw_addr, *pins_.aw_len,
                 bytes_);
    const std::string data(static_cast<const char *>(pins_.w_data), bytes_);
    uint64_t strobe = 0;
    std::memcpy(&strobe, pins_.w_strb, (bytes_ + 7) / 8);
    if (w_waits_) {
      SYSTOLE_CHECK(*pins_.w_valid && data == w_data_ && strobe == w_strobe_ &&
                        *pins_.w_last == w_last_,
                    "W changed or vanished before it was taken");
    }
    w_waits_ = *pins_.w_valid && !*pins_.w_ready;
    w_data_ = data;
    w_strobe_ = strobe;
    w_last_ = *pins_.w_last;
    if (*pins_.w_valid) {
      SYSTOLE_CHECK(w_bursts_ < rules_.offers(),
                    "W offers data for a burst without an AW");
    }

    clear_ = *pins_.b_valid && *pins_.b_ready;
    if (clear_) {
      if (finished_.front().response >= kSlaveError) {
        errors.push_back({static_cast<uint32_t>(finished_.front().address),
                          finished_.front().response == kDecodeError});
      }
      finished_.pop_front();
    }
    if (*pins_.aw_valid && *pins_.aw_ready) {
      accepted.push_back({*pins_.aw_addr, *pins_.aw_len + 1u});
      addresses_.push_back({*pins_.aw_addr, *pins_.aw_len + 1u});
    }
    if (*pins_.w_valid && *pins_.w_ready) {
      if (fresh_) data_.emplace_back();
      data_.back().push_back({data, strobe});
      fresh_ = *pins_.w_last;
      w_bursts_ += fresh_;
      beats++;
      strobed_beats += strobe != 0;
    }
    while (!addresses_.empty() && !data_.empty() && (data_.size() > 1 || fresh_)) {
      const Burst burst = addresses_.front();
      SYSTOLE_CHECK(data_.front().size() == burst.beats,
                    "a burst of %u beats has its last beat at %zu", burst.beats,
                    data_.front().size());
      uint64_t address = burst.address;
      for (const Beat &beat : data_.front()) {
        for (unsigned i = 0; i < bytes_; i++) {
          if (beat.strobe >> i & 1)
            memory[address + i] = static_cast<uint8_t>(beat.data[i]);
        }
        address += bytes_;
      }
      finished_.push_back({burst.address, now_ + latency, response(burst.address)});
      addresses_.pop_front();
      data_.pop_front();
    }
    if (!addresses_.empty() && !data_.empty()) {
      SYSTOLE_CHECK(data_.front().size() < addresses_.front().beats,
                    "a burst of %u beats has no last beat", addresses_.front().beats);
    }
    now_++;
  }

  void Advance() {
    if (clear_) *pins_.b_valid = 0;
  }

 private:
  struct Beat {
    std::string data;
    uint64_t strobe;
  };
  struct Finished {
    uint64_t address, ready_at;
    Response response;
  };
  WritePins pins_;
  unsigned bytes_;
  Random *random_;
  AddressRules rules_;
  std::deque<Burst> addresses_;         // taken, their data not complete
  std::deque<std::vector<Beat>> data_;  // the last one may be incomplete
  std::deque<Finished> finished_;
  bool fresh_ = true;      // the next beat begins a burst
  uint64_t w_bursts_ = 0;  // bursts whose last beat was taken
  bool w_waits_ = false;
  std::string w_data_;
  uint64_t w_strobe_ = 0;
  bool w_last_ = false;
  uint64_t now_ = 0;
  bool clear_ = false;
};

}  // namespace systole

#endif  // SYSTOLE_TESTS_RTL_AXI_BUS_H_
