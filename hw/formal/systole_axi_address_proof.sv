// Bursts cover each request exactly, in order, and keep to AXI: no burst crosses 4 KiB, none has
// more than 256 beats, no more than Outstanding are in flight. (That an address holds until it is
// taken is asserted in the module.)
`default_nettype none

module systole_axi_address_proof #(
    parameter int AxiBytes = 64,
    parameter int Outstanding = 2
) (
    input logic        clk_i,
    input logic        req_valid_i,
    input logic [63:0] req_addr_i,
    input logic [31:0] req_beats_i,
    input logic        ax_ready_i,
    input logic        data_next_i,
    input logic        retire_i,
    input logic        mark_i
);
  logic rst_ni;
  initial rst_ni = 1'b0;
  always_ff @(posedge clk_i) rst_ni <= 1'b1;

  logic req_ready, ax_valid, data_valid, busy, idle;
  logic [63:0] ax_addr;
  logic [7:0] ax_len, data_len;
  logic [31:0] oldest;
  systole_axi_address #(.AxiBytes(AxiBytes), .Outstanding(Outstanding)) u_address (
      .clk_i, .rst_ni, .abort_i(1'b0),
      .req_valid_i, .req_ready_o(req_ready), .req_addr_i, .req_beats_i,
      .ax_valid_o(ax_valid), .ax_ready_i, .ax_addr_o(ax_addr), .ax_len_o(ax_len),
      .data_valid_o(data_valid), .data_len_o(data_len), .data_next_i,
      .retire_i, .oldest_addr_o(oldest), .busy_o(busy), .idle_o(idle));

  // One request is marked; those before it are over when it comes, so that the first burst after
  // it is its own.
  logic        marked_q;
  logic [63:0] next_q;   // address of its next burst
  logic [32:0] left_q;   // beats that are still to be asked for
  logic [2:0]  flight_q; // bursts taken and not retired
  initial marked_q = 1'b0;
  initial flight_q = '0;
  logic take;
  assign take = rst_ni && ax_valid && ax_ready_i;
  always_ff @(posedge clk_i) begin
    if (rst_ni && !marked_q && req_valid_i && req_ready && mark_i && idle && !ax_valid) begin
      marked_q <= 1'b1;
      next_q   <= req_addr_i;
      left_q   <= {1'b0, req_beats_i};
    end else if (marked_q && take && left_q != '0) begin
      next_q <= next_q + 64'(ax_len + 9'd1) * 64'(AxiBytes);
      left_q <= left_q - 33'(ax_len) - 33'd1;
    end
    flight_q <= flight_q + 3'(take) - 3'(retire_i && rst_ni);
  end
  always @* begin
    assume (req_beats_i != '0);
    assume (req_addr_i[$clog2(AxiBytes)-1:0] == '0);
    assume (req_addr_i < 64'h1000_0000_0000 && req_beats_i < 32'h1000_0000);
    if (!rst_ni) assume (!req_valid_i);
    if (flight_q == '0) assume (!retire_i);  // bursts end after they were taken
    if (!data_valid) assume (!data_next_i);
    if (!rst_ni) assume (!retire_i && !data_next_i);
  end

  always @(posedge clk_i) begin
    if (rst_ni) begin
      if (ax_valid) begin
        begin : BurstsStayInOnePage
          assert (13'(ax_addr[11:0]) + 13'(ax_len + 9'd1) * 13'(AxiBytes) <= 13'd4096);
        end
        begin : BurstsAreWhole assert (ax_addr[$clog2(AxiBytes)-1:0] == '0); end
      end
      if (marked_q && ax_valid && left_q != '0) begin
        begin : BurstsFollowOneAnother assert (ax_addr == next_q); end
        begin : BurstsEndWithTheRequest assert (33'(ax_len) + 33'd1 <= left_q); end
      end
      begin : FlightIsBounded assert (flight_q <= 3'(Outstanding)); end
    end
  end
endmodule

`default_nettype wire
