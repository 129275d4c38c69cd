package epcis

import "slices"

// gs1Vocabulary is where the event hash has the GS1 Web Vocabulary.
const gs1Vocabulary = "https://ref.gs1.org/voc/"

// vocabulary is a list of standard words that may stand for their address.
type vocabulary struct {
	address string   // before the word
	urn     string   // the word's kind in EPCIS 1.x: urn:epcglobal:cbv:<urn>:<word>
	words   []string // sorted
}

func (v *vocabulary) has(word string) bool {
	_, ok := slices.BinarySearch(v.words, word)
	return ok
}

// vocabularies are the words that the EPCIS 2.0 JSON schema allows in each
// place, CBV 2.0 §7 and the measurement and alert types of the GS1 Web
// Vocabulary.
var vocabularies = [...]vocabulary{
	bizStepValue: {
		address: "https://ref.gs1.org/cbv/BizStep-", urn: "bizstep",
		words: []string{
			"accepting", "arriving", "assembling", "collecting", "commissioning", "consigning",
			"creating_class_instance", "cycle_counting", "decommissioning", "departing", "destroying", "disassembling",
			"dispensing", "encoding", "entering_exiting", "holding", "inspecting", "installing", "killing", "loading",
			"other", "packing", "picking", "receiving", "removing", "repackaging", "repairing", "replacing",
			"reserving", "retail_selling", "sampling", "sensor_reporting", "shipping", "staging_outbound",
			"stock_taking", "stocking", "storing", "transporting", "unloading", "unpacking", "void_shipping",
		},
	},
	dispositionValue: {
		address: "https://ref.gs1.org/cbv/Disp-", urn: "disp",
		words: []string{
			"active", "available", "completeness_inferred", "completeness_verified", "conformant", "container_closed",
			"container_open", "damaged", "destroyed", "dispensed", "disposed", "encoded", "expired", "in_progress",
			"in_transit", "inactive", "mismatch_class", "mismatch_instance", "mismatch_quantity", "needs_replacement",
			"no_pedigree_match", "non_conformant", "non_sellable_other", "partially_dispensed", "recalled", "reserved",
			"retail_sold", "returned", "sellable_accessible", "sellable_not_accessible", "stolen", "unavailable",
			"unknown",
		},
	},
	bizTransactionTypeValue: {
		address: "https://ref.gs1.org/cbv/BTT-", urn: "btt",
		words: []string{
			"bol", "cert", "desadv", "inv", "pedigree", "po", "poc", "prodorder", "recadv", "rma", "testprd",
			"testres", "upevt",
		},
	},
	sourceDestTypeValue: {
		address: "https://ref.gs1.org/cbv/SDT-", urn: "sdt",
		words: []string{
			"location", "owning_party", "possessing_party",
		},
	},
	componentValue: {
		address: "https://ref.gs1.org/cbv/Comp-", urn: "comp",
		words: []string{
			"altitude", "axial_distance", "azimuth", "easting", "elevation_angle", "height", "latitude", "longitude",
			"northing", "polar_angle", "spherical_radius", "x", "y", "z",
		},
	},
	measurementValue: {
		address: gs1Vocabulary,
		words: []string{
			"AbsoluteHumidity", "AbsorbedDose", "AbsorbedDoseRate", "Acceleration", "Altitude", "AmountOfSubstance",
			"AmountOfSubstancePerUnitVolume", "Angle", "AngularAcceleration", "AngularMomentum", "AngularVelocity",
			"Area", "Capacitance", "Conductance", "Conductivity", "Count", "Density", "Dimensionless",
			"DoseEquivalent", "DoseEquivalentRate", "DynamicViscosity", "ElectricCharge", "ElectricCurrent",
			"ElectricCurrentDensity", "ElectricFieldStrength", "Energy", "Exposure", "Force", "Frequency",
			"Illuminance", "Inductance", "Irradiance", "KinematicViscosity", "Length", "LinearMomentum", "Luminance",
			"LuminousFlux", "LuminousIntensity", "MagneticFlux", "MagneticFluxDensity", "MagneticVectorPotential",
			"Mass", "MassConcentration", "MassFlowRate", "MassPerAreaTime", "MemoryCapacity", "MolalityOfSolute",
			"MolarEnergy", "MolarMass", "MolarVolume", "Power", "Pressure", "RadiantFlux", "RadiantIntensity",
			"Radioactivity", "RelativeHumidity", "Resistance", "Resistivity", "SolidAngle", "SpecificVolume", "Speed",
			"SurfaceDensity", "SurfaceTension", "Temperature", "Time", "Torque", "Voltage", "Volume", "VolumeFlowRate",
			"VolumeFraction", "VolumetricFlux", "Wavenumber",
		},
	},
	alertValue: {
		address: gs1Vocabulary,
		words: []string{
			"ALARM_CONDITION", "ERROR_CONDITION",
		},
	},
	errorReasonValue: {
		address: "https://ref.gs1.org/cbv/ER-", urn: "er",
		words: []string{
			"did_not_occur", "incorrect_data",
		},
	},
}
