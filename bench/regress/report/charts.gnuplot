# Page tables, 40 clients have touched everything
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "tables"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "MB"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set logscale y
set yrange [1.97526:*]
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	16.81640625	16.81640625	16.81640625
EOD
$d1 << EOD
1	5.92578125	5.92578125	5.92578125
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d1 using 1:2 with boxes lc rgb "#01020d"

# Page tables over time, all workloads of round 1
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "time"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set xlabel "seconds"
set ylabel "MB"
set yrange [0:*]
$d0 << EOD
1.0	3.69
2.1	5.71
4.1	8.34
5.2	15.95
6.5	16.98
7.6	1.43
8.6	1.39
9.7	3.46
10.7	7.20
12.3	7.12
13.5	1.35
14.5	1.61
15.5	1.50
16.5	1.48
17.5	1.50
18.5	1.81
19.6	1.42
20.6	1.35
21.6	1.35
22.7	1.40
23.7	1.40
24.7	1.42
25.8	1.35
26.8	1.41
27.9	1.35
28.9	1.40
29.9	1.74
31.0	1.47
32.1	1.36
33.5	2.35
34.5	2.41
36.0	2.70
37.0	2.11
38.2	2.49
39.3	1.36
40.3	1.36
41.4	1.36
42.4	1.36
43.6	1.36
44.7	1.36
45.8	1.36
46.8	1.36
48.1	1.36
49.1	1.36
50.4	1.36
54.1	1.39
55.2	5.69
56.2	7.40
57.4	8.75
59.9	11.86
61.2	12.37
62.3	12.37
64.0	12.37
65.7	12.37
67.0	12.37
68.1	12.37
69.2	12.37
70.6	12.37
71.7	12.37
73.2	12.37
74.6	12.37
76.1	9.66
77.2	1.43
78.2	1.36
79.2	1.36
80.2	1.36
81.4	2.03
82.6	3.07
83.8	3.65
84.9	4.54
86.0	5.58
87.0	7.27
89.2	7.66
90.2	7.78
91.3	7.85
92.4	7.94
94.1	8.02
95.2	8.08
96.2	8.21
97.4	8.41
98.4	8.49
99.4	6.36
100.5	1.86
101.5	1.36
102.5	1.36
EOD
$d1 << EOD
1.0	2.95
3.2	5.66
4.3	2.73
5.4	1.28
6.4	1.28
7.4	5.00
8.7	6.05
9.9	1.28
10.9	1.28
11.9	1.48
12.9	1.39
13.9	1.28
14.9	1.28
16.0	1.28
17.0	1.28
18.0	1.28
19.0	2.20
20.0	2.12
21.1	2.15
22.1	2.27
23.2	2.06
24.2	1.28
25.2	1.28
26.2	1.28
27.2	1.41
28.2	3.84
30.2	6.05
31.2	6.21
32.3	6.21
33.5	6.21
34.5	6.21
35.7	6.21
36.7	6.21
38.0	6.21
39.0	6.21
40.0	6.21
41.2	6.21
42.4	6.21
43.5	6.21
44.6	5.96
46.0	1.32
47.0	1.28
48.1	1.28
49.1	2.94
51.1	6.05
52.2	6.21
53.2	6.21
54.3	6.21
55.4	6.21
56.5	6.21
57.5	6.21
58.6	6.21
59.6	6.21
60.7	6.21
61.9	4.61
63.0	1.73
64.0	1.28
65.0	1.28
66.0	1.28
67.0	1.28
68.1	1.28
69.1	1.28
70.1	1.28
71.1	1.28
72.1	1.28
73.2	1.28
74.2	1.28
EOD
plot $d0 using 1:2 with lines lw 2 lc rgb "#01020a" title "stock", $d1 using 1:2 with lines lw 2 lc rgb "#01020d" title "mshare"

# Minor faults per second over time, the whole machine
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "faults_time"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set xlabel "seconds"
set ylabel "faults per second"
set yrange [0:*]
$d0 << EOD
1.0	7090.48
2.1	5998.06
4.1	22402.43
5.2	40024.99
6.5	14058.27
7.6	488.79
8.6	365.69
9.7	5299.07
10.7	11651.46
12.3	5811.95
13.5	1100.86
14.5	5778.43
15.5	7931.00
16.5	6914.71
17.5	7244.55
18.5	9549.51
19.6	226.73
20.6	22.64
21.6	3350.49
22.7	6804.90
23.7	100.99
24.7	3779.41
25.8	2750.00
26.8	264.36
27.9	3084.47
28.9	308.74
29.9	6168.93
31.0	3499.06
32.1	29.63
33.5	2868.12
34.5	12130.10
36.0	8362.16
37.0	3825.71
38.2	1650.00
39.3	1362.73
40.3	0.00
41.4	0.00
42.4	0.00
43.6	0.81
44.7	0.00
45.8	0.00
46.8	0.00
48.1	0.00
49.1	0.00
50.4	139.69
54.1	22.28
55.2	12904.54
56.2	5366.34
57.4	1517.36
59.9	2075.71
61.2	139.42
62.3	215.24
64.0	401.17
65.7	335.47
67.0	535.94
68.1	730.48
69.2	602.73
70.6	340.28
71.7	388.18
73.2	726.17
74.6	590.34
76.1	6742.66
77.2	717.43
78.2	0.00
79.2	0.00
80.2	49.51
81.4	2825.64
82.6	2605.88
83.8	1474.80
84.9	2151.35
86.0	3202.83
87.0	6040.00
89.2	1500.92
90.2	501.96
91.3	138.10
92.4	139.64
94.1	94.15
95.2	68.57
96.2	151.43
97.4	233.62
98.4	173.27
99.4	3783.65
100.5	5901.92
101.5	405.71
102.5	0.00
EOD
$d1 << EOD
1.0	5742.16
3.2	6190.74
4.3	9647.75
5.4	73.15
6.4	81.19
7.4	11499.05
8.7	9157.36
9.9	2192.24
10.9	1680.00
11.9	4180.20
12.9	3851.96
13.9	3679.21
14.9	3608.91
16.0	3636.63
17.0	3622.77
18.0	1.98
19.0	6928.85
20.0	19860.78
21.1	19840.39
22.1	11825.96
23.2	12946.66
24.2	8000.00
25.2	0.00
26.2	0.00
27.2	750.50
28.2	8662.75
30.2	5289.39
31.2	853.92
32.3	118.45
33.5	0.85
34.5	0.00
35.7	0.00
36.7	0.00
38.0	0.80
39.0	4.85
40.0	0.00
41.2	0.00
42.4	0.00
43.5	0.00
44.6	5844.74
46.0	2718.18
47.0	0.00
48.1	0.00
49.1	6208.91
51.1	6794.63
52.2	563.11
53.2	212.26
54.3	37.27
55.4	14.95
56.5	33.94
57.5	56.07
58.6	19.63
59.6	13.59
60.7	16.04
61.9	3362.10
63.0	5857.28
64.0	367.62
65.0	0.00
66.0	0.00
67.0	0.00
68.1	0.00
69.1	0.00
70.1	0.00
71.1	0.00
72.1	0.00
73.2	0.00
74.2	0.00
EOD
plot $d0 using 1:2 with lines lw 2 lc rgb "#01020a" title "stock", $d1 using 1:2 with lines lw 2 lc rgb "#01020d" title "mshare"

# Memory available over time
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "available_time"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set xlabel "seconds"
set ylabel "GB"
set yrange [0:*]
$d0 << EOD
1.0	2.38
2.1	2.36
4.1	2.35
5.2	2.34
6.5	2.33
7.6	2.38
8.6	2.38
9.7	2.37
10.7	2.36
12.3	2.34
13.5	2.40
14.5	2.40
15.5	2.40
16.5	2.40
17.5	2.40
18.5	2.40
19.6	2.40
20.6	2.40
21.6	2.40
22.7	2.40
23.7	2.40
24.7	2.40
25.8	2.40
26.8	2.40
27.9	2.40
28.9	2.40
29.9	2.40
31.0	2.40
32.1	2.40
33.5	2.40
34.5	2.40
36.0	2.40
37.0	2.40
38.2	2.40
39.3	2.40
40.3	2.40
41.4	2.40
42.4	2.40
43.6	2.40
44.7	2.40
45.8	2.40
46.8	2.40
48.1	2.40
49.1	2.40
50.4	2.40
54.1	2.40
55.2	2.35
56.2	2.35
57.4	2.34
59.9	2.32
61.2	2.32
62.3	2.32
64.0	2.32
65.7	2.32
67.0	2.32
68.1	2.33
69.2	2.33
70.6	2.33
71.7	2.33
73.2	2.33
74.6	2.33
76.1	2.35
77.2	2.40
78.2	2.40
79.2	2.40
80.2	2.40
81.4	2.40
82.6	2.39
83.8	2.38
84.9	2.36
86.0	2.36
87.0	2.34
89.2	2.33
90.2	2.33
91.3	2.33
92.4	2.33
94.1	2.33
95.2	2.33
96.2	2.33
97.4	2.33
98.4	2.33
99.4	2.35
100.5	2.39
101.5	2.39
102.5	2.39
EOD
$d1 << EOD
1.0	2.38
3.2	2.35
4.3	2.33
5.4	2.38
6.4	2.38
7.4	2.36
8.7	2.34
9.9	2.39
10.9	2.39
11.9	2.39
12.9	2.39
13.9	2.39
14.9	2.40
16.0	2.40
17.0	2.40
18.0	2.40
19.0	2.40
20.0	2.40
21.1	2.40
22.1	2.40
23.2	2.39
24.2	2.40
25.2	2.40
26.2	2.40
27.2	2.40
28.2	2.38
30.2	2.36
31.2	2.34
32.3	2.34
33.5	2.34
34.5	2.34
35.7	2.34
36.7	2.34
38.0	2.34
39.0	2.34
40.0	2.34
41.2	2.34
42.4	2.34
43.5	2.34
44.6	2.34
46.0	2.42
47.0	2.42
48.1	2.42
49.1	2.39
51.1	2.35
52.2	2.34
53.2	2.34
54.3	2.34
55.4	2.34
56.5	2.34
57.5	2.34
58.6	2.34
59.6	2.34
60.7	2.34
61.9	2.35
63.0	2.39
64.0	2.40
65.0	2.40
66.0	2.40
67.0	2.40
68.1	2.40
69.1	2.40
70.1	2.40
71.1	2.40
72.1	2.40
73.2	2.40
74.2	2.40
EOD
plot $d0 using 1:2 with lines lw 2 lc rgb "#01020a" title "stock", $d1 using 1:2 with lines lw 2 lc rgb "#01020d" title "mshare"

# Connecting 40 clients at once
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "connect"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "s"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set yrange [0:*]
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	1.99	1.99	1.99
EOD
$d1 << EOD
1	1.382	1.382	1.382
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d1 using 1:2 with boxes lc rgb "#01020d"

# Minor faults, all of it touched
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "faults"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "faults"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set logscale y
set yrange [6434:*]
set format y "%.0s %c"
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	109406	109406	109406
EOD
$d1 << EOD
1	19302	19302	19302
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d1 using 1:2 with boxes lc rgb "#01020d"

# Transactions per second, select-only, with spread
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "tps"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "tps"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set yrange [0:*]
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	482.668	204.6	696.9
EOD
$d1 << EOD
1	966.18	649.0	1519.9
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d0 using 1:3:(0):($4-$3) with vectors heads size graph 0.012,90 lw 2 lc rgb "black", $d1 using 1:2 with boxes lc rgb "#01020d", $d1 using 1:3:(0):($4-$3) with vectors heads size graph 0.012,90 lw 2 lc rgb "black"

