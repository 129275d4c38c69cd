package gs1

import "testing"

func BenchmarkCanonical(b *testing.B) {
	for _, c := range []struct{ name, id string }{
		{"canonical", "https://id.gs1.org/01/09506000134352/10/LOT-7"},
		{"link", "https://shop.example/p/01/09506000134352/10/LOT-7/21/0001"},
		{"query", "https://shop.example/p/01/09506000134352/21/0001?17=290426&linkType=all"},
		{"urn", "urn:epc:id:sgtin:9506000.013435.2017"},
		{"other", "urn:uuid:5c2b4e90-1234-4abc-9876-1f2c3d4e5f63"},
		{"web", "https://shop.example/orders/2026/03/17"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Canonical(c.id); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkIdentifiers(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Identifiers("https://id.gs1.org/01/09506000134352/10/LOT-7/21/0001")
	}
}

func BenchmarkHashForm(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		HashForm("urn:epc:id:sgtin:9506000.013435.2017")
	}
}
