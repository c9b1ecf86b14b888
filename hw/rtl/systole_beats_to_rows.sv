// Assembles beats of AxiBytes into rows of Dim bytes: several beats a row, one, or two rows a beat.
//
// Latency: 0 cycles for the beat that completes a row. Rate: one beat or one row a cycle,
// whichever is slower. Back-pressure: row_ready_i low holds the completing beat.
// row_last_i accompanies the acceptance of the last row of a request: what is left of its beat
// belongs to nobody and is dropped.
`default_nettype none

module systole_beats_to_rows #(
  parameter int Dim      = 16,
  parameter int AxiBytes = 16  // 4 ... 2 Dim
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  beat_valid_i,
  output logic                  beat_ready_o,
  input  logic [8*AxiBytes-1:0] beat_i,
  output logic                  row_valid_o,
  input  logic                  row_ready_i,
  input  logic                  row_last_i,
  output logic [8*Dim-1:0]      row_o
);
  if (AxiBytes == Dim) begin : g_same
    logic unused;
    assign unused       = &{1'b0, clk_i, rst_ni, row_last_i};
    assign row_valid_o  = beat_valid_i;
    assign beat_ready_o = row_ready_i;
    assign row_o        = beat_i;
  end else if (AxiBytes < Dim) begin : g_gather
    localparam int Parts    = Dim / AxiBytes;
    localparam int PartBits = $clog2(Parts);
    localparam logic [PartBits-1:0] LastPart = PartBits'(Parts - 1);
    logic [8*(Dim-AxiBytes)-1:0] parts_q;
    logic [PartBits-1:0]         part_q;
    logic                        unused;
    assign unused       = row_last_i;
    assign row_valid_o  = beat_valid_i && part_q == LastPart;
    assign beat_ready_o = part_q != LastPart || row_ready_i;
    assign row_o        = {beat_i, parts_q};
    always_ff @(posedge clk_i) begin
      if (beat_valid_i && beat_ready_o) begin
        part_q <= part_q + 1'b1;
        if (part_q != LastPart) parts_q[8*AxiBytes*32'(part_q) +: 8*AxiBytes] <= beat_i;
      end
      if (!rst_ni) part_q <= '0;
    end
  end else begin : g_split
    logic high_q;
    assign row_valid_o  = beat_valid_i;
    assign beat_ready_o = row_ready_i && (high_q || row_last_i);
    assign row_o        = high_q ? beat_i[8*Dim +: 8*Dim] : beat_i[0 +: 8*Dim];
    always_ff @(posedge clk_i) begin
      if (beat_valid_i && row_ready_i) high_q <= !(high_q || row_last_i);
      if (!rst_ni) high_q <= 1'b0;
    end
  end

  initial begin
    if (AxiBytes < 4 || AxiBytes > 2 * Dim || AxiBytes > 64)
      $fatal(1, "systole_beats_to_rows: AxiBytes must be 4 ... 64 and at most 2 Dim");
  end
endmodule

`default_nettype wire
